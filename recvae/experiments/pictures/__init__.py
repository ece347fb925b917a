"""Lossy pictures by relative entropy coding, beside its own bound, published points and classics.

images      the pictures that are coded, and PSNR
classical   JPEG, WebP, AVIF, JPEG XL, JPEG 2000: files, and their bytes without headers
published   points of the literature
ours        everything this experiment needs of our codec
rows        which codec, with which setting, on which images
measure     a row as real files: bytes, PSNR, seconds
inr_rows    the same for implicit neural representations (INR): which model, blocks and effort
inr         everything this experiment needs of their codec, and a row measured
curves      PSNR at a rate, and the rate at a PSNR; comparisons: a table of these
inr_findings  rows of INR in words: the conditions, and what partitions gain
table       CSV and Markdown
figures     one module each, from measured rows and from pictures
report      one page that holds everything
command     all of it
"""

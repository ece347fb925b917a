"""Lossy pictures by relative entropy coding, beside its own bound, published points and classics.

images      the pictures that are coded, and PSNR
classical   JPEG, WebP, AVIF, JPEG XL, JPEG 2000: files, and their bytes without headers
published   points of the literature
ours        everything this experiment needs of our codec
rows        which codec, with which setting, on which images
measure     a row as real files: bytes, PSNR, seconds
curves      PSNR at a rate, and the difference of two curves; comparisons: a table of these
table       CSV and Markdown
figures     one module each, from measured rows and from pictures
report      one page that holds everything
command     all of it
"""

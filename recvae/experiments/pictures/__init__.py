"""Lossy pictures by relative entropy coding, beside its own bound, published points and classics.

images      the pictures that are coded, and PSNR
classical   JPEG, WebP, AVIF, JPEG XL, JPEG 2000: files, and what of them is no header
published   points of the literature
ours        all that this experiment asks of our codec
rows        which codec, with which setting, on which images
measure     a row as real files: bytes, PSNR, seconds
curves      PSNR at a rate, and by how much one curve is above another; comparisons: a table of it
table       CSV and Markdown
figures     one module each, from measured rows and from pictures
report      one page that holds everything
command     all of it
"""

"""Lossless MNIST with one VAE and every relative entropy coder, beside the published rates.

rows        which coder, model and settings, on how many images
coders      from a row to the model that codes it; layouts: blocks and rank codes
measure     a row as a real file: rate, bits by part, overhead, bias, seconds, memory
store       measured rows as files, so that an interrupted run continues
table       CSV and Markdown
figures     one module each, from rows, models and images
report      figures as SVG, and one page that holds everything
command     all of it
"""

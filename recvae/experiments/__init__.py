"""Reproductions of published tables and figures: one module each, behind one command.

python -m recvae.experiments synthetic --out DIR
python -m recvae.experiments mnist --data.root DIR --out DIR
python -m recvae.experiments pictures --data.root DIR --out DIR
"""

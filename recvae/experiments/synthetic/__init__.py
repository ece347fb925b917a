"""Relative entropy coding of random Gaussians: its costs, and the accuracy of its samples.

Each experiment is a module with one function, `run`, listed in `command.EXPERIMENTS`:

    search         one search in two dimensions, all its candidates, with and without bins
    runtime        steps of PFR against D_inf, with and without partition
    code_length    code length of PFR against mutual information
    orc_bias       candidates that ORC needs for little bias, against KL
    ablation       histograms of samples, by what the partition cuts
    large_blocks   bias and code length of blocks of up to 48 bits, against log J
    side_by_side   every algorithm: bits over KL, candidates, seconds
"""

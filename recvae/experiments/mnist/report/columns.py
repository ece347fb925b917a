"""The columns of the report's table, and descriptions of its rows' families."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Fields:
        key: column of the rows.
        heading: the heading, with the unit below it.
        unit: "" for plain numbers.
        form: format of the numbers.
        meaning: a sentence.
        factor: rows' unit over this unit.
    """

    key: str
    heading: str
    unit: str
    form: str
    meaning: str
    factor: float = 1


BPP = "bits per pixel"
COLUMNS = (
    Column("latent_dim", "latents", "", "d", "Latent dimensions of the model."),
    Column(
        "blocks",
        "blocks",
        "",
        "d",
        "Blocks of latents; each is one call of relative entropy coding and has one rank.",
    ),
    Column(
        "log2_candidates",
        "log₂ N",
        "",
        ".4g",
        "Candidates per block if their number is fixed; exact searches decide when to stop.",
    ),
    Column("images", "images", "", ",d", "Test images coded: all 10,000, or a stated subset."),
    Column(
        "bits_per_pixel",
        "in the file",
        BPP,
        ".4f",
        "Bytes of the file × 8 / pixels. The file was written, decoded and compared.",
    ),
    Column(
        "standard_error_bpp",
        "± s.e.",
        BPP,
        ".4f",
        "Standard error of the rate if not all test images were coded. The standard error of a "
        "difference between two rows is much smaller, since they share their images.",
    ),
    Column(
        "bins_bpp",
        "bins",
        BPP,
        ".4f",
        "The bin of each block's latents; with A* and branch and bound, the path to the candidate.",
    ),
    Column("ranks_bpp", "ranks", BPP, ".4f", "The rank of the candidate within its bin."),
    Column("pixels_bpp", "pixels", BPP, ".4f", "The pixels given the latents."),
    Column(
        "container_bpp",
        "container",
        BPP,
        ".4f",
        "Headers, checksums, index, and the ends of the entropy coder's streams.",
    ),
    Column(
        "negative_elbo_bpp",
        "−ELBO",
        BPP,
        ".4f",
        "The bound: KL[q(z|x) ‖ p(z)] − log₂ p(x|z) of the same images, with the decoder that "
        "decodes the file.",
    ),
    Column("overhead_bpp", "overhead", BPP, ".4f", "Bits in the file minus −ELBO."),
    Column("overhead_bits", "overhead", "bits per image", ".1f", "The same per image."),
    Column(
        "bias_bits",
        "bias",
        "bits per image",
        ".2f",
        "Additional cost of the pixels compared with true samples of the posterior; negative if "
        "the sender picks cheap candidates.",
    ),
    Column(
        "encode_seconds",
        "encode",
        "ms per image",
        ",.2f",
        "Time to encode in batches of 64, without fitting; the shorter of two passes, or of one "
        "if it took over a minute.",
        1000,
    ),
    Column(
        "decode_seconds",
        "decode",
        "ms per image",
        ",.2f",
        "Time to decode, measured likewise.",
        1000,
    ),
    Column(
        "peak_mb",
        "memory",
        "MB",
        ",.0f",
        "Peak memory of the row's process, including images, libraries and the fitting of its "
        "constants.",
    ),
    Column(
        "capped_images",
        "capped",
        "images",
        ",d",
        "Images with an exact search that reached its cap on candidates: their samples are not "
        "exact.",
    ),
    Column("file_bytes", "file", "bytes", ",d", "Size of the file."),
    Column(
        "published_bpp",
        "published",
        BPP,
        ".3f",
        "Greedy rejection coding with as many latents; for A* coding the published A*, for −ELBO "
        "BB-ANS. The published values state their sources.",
    ),
)

FAMILIES = {
    "bound": "−ELBO itself, the theoretical optimum; no file.",
    "partitioned ORC": "Ordered random coding with space partitioning, as in the codec's files. A "
    "fixed number of candidates is drawn near the posterior; bin and rank within it are sent.",
    "fitted bin prior": "The same, with bins coded under a distribution fitted to training images "
    "instead of uniformly.",
    "min-cost selection": "The same, but of the likeliest candidates the sender chooses the one "
    "with the fewest bits for latents and pixels together.",
    "standard ORC": "Ordered random coding without partition, in as many blocks as the number of "
    "candidates requires.",
    "PFR": "Poisson functional representation, with or without partition: exact; the number of "
    "steps grows as 2 to the power of the Rényi divergence.",
    "GPRS": "Greedy Poisson rejection sampling: exact; in blocks, or by branch and bound for one "
    "dimension at a time.",
    "A*": "A* coding of one dimension at a time: exact and fast, but every dimension pays an "
    "overhead.",
}

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
        "Blocks of latents: one call of relative entropy coding, one rank each.",
    ),
    Column(
        "log2_candidates",
        "log₂ N",
        "",
        ".4g",
        "Candidates a block, where their number is fixed; exact searches stop by themselves.",
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
        "Standard error of the rate where not all test images were coded. That of a difference "
        "between two rows is much smaller: they share their images.",
    ),
    Column(
        "bins_bpp",
        "bins",
        BPP,
        ".4f",
        "Which bin each block's latents lie in; for A* and branch and bound the whole way to the "
        "candidate.",
    ),
    Column("ranks_bpp", "ranks", BPP, ".4f", "Which candidate, within its bin."),
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
    Column("overhead_bpp", "overhead", BPP, ".4f", "In the file, over −ELBO."),
    Column("overhead_bits", "overhead", "bits an image", ".1f", "The same for an image."),
    Column(
        "bias_bits",
        "bias",
        "bits an image",
        ".2f",
        "What the pixels cost more than with true samples of the posterior; below 0 where the "
        "sender picks what is cheap.",
    ),
    Column(
        "encode_seconds",
        "encode",
        "ms an image",
        ",.2f",
        "Time to encode in batches of 64, fitting not included; the smaller of two passes, of one "
        "alone where that took over a minute.",
        1000,
    ),
    Column("decode_seconds", "decode", "ms an image", ",.2f", "Time to decode likewise.", 1000),
    Column(
        "peak_mb",
        "memory",
        "MB",
        ",.0f",
        "The most memory that the row's process had, its images, "
        "libraries and the fitting of its constants included.",
    ),
    Column(
        "capped_images",
        "capped",
        "images",
        ",d",
        "Images with an exact search that met its cap on candidates: their samples are not exact.",
    ),
    Column("file_bytes", "file", "bytes", ",d", "The file's size."),
    Column(
        "published_bpp",
        "published",
        BPP,
        ".3f",
        "Greedy rejection coding with as many latents; beside A* coding itself, beside −ELBO "
        "BB-ANS. Sources stand with the published values.",
    ),
)

FAMILIES = {
    "bound": "−ELBO itself, the theoretical optimum; no file.",
    "partitioned ORC": "Ordered random coding with space partitioning: the codec's own format. A "
    "fixed number of candidates, drawn where the posterior is; sent are bin and rank within it.",
    "fitted bin prior": "The same; bins are coded under a law fitted to training images instead of "
    "uniformly.",
    "min-cost selection": "The same; of the likeliest candidates the one is sent with which "
    "latents and pixels together take the fewest bits.",
    "standard ORC": "Ordered random coding without a partition, in as many blocks as its "
    "candidates allow.",
    "PFR": "Poisson functional representation, with a partition or without: exact; steps grow as 2 "
    "to the power of the Rényi divergence.",
    "GPRS": "Greedy Poisson rejection sampling: exact; in blocks, or by branch and bound, a "
    "dimension at a time.",
    "A*": "A* coding, a dimension at a time: exact and fast, but every dimension pays an overhead.",
}

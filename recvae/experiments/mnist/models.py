"""The models of the table: shipped ones, and ones trained here."""

import subprocess
import sys
from pathlib import Path

import recvae
from recvae.codec import shipped_models
from recvae.codec.models import JSON_NAME, read_object
from recvae.errors import InputError
from recvae.experiments.mnist.rows import MODEL_NAMES, MODELS, VARIANTS

CONFIG = Path(recvae.__file__).parent.parent / "configs" / "mnist-mlp.yaml"
TRAINING = "from recvae.training import main; raise SystemExit(main())"
TRAINING_OPTIONS = {
    name: [f"--model.architecture.latent_dim={latent_dim}"] for latent_dim, name in MODELS.items()
} | {
    VARIANTS["beta 1"]: ["--trainer.max_epochs=80"],
    VARIANTS["controlled"]: ["--trainer.max_epochs=80", "--model.beta.mode=controlled"],
}
"""Differences from the configuration of the baseline."""


def find_models(out: Path) -> dict[str, Path]:
    """Folders of available models, by name; ones trained here take precedence."""
    trained = {name: out / "models" / name for name in MODEL_NAMES}
    trained = {name: path for name, path in trained.items() if (path / JSON_NAME).is_file()}
    shipped = {name: path for name, path in shipped_models().items() if name in MODEL_NAMES}
    return shipped | trained


def read_hash(model: Path) -> str:
    """Read the hash in a model's folder; InputError if there is none."""
    try:
        found = read_object(model / JSON_NAME).get("hash")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{model / JSON_NAME}: cannot be read, delete its folder") from error
    if not isinstance(found, str):
        raise InputError(f"{model / JSON_NAME}: has no hash; delete it or export it again")
    return found


def train_model(out: Path, root: str, name: str) -> None:
    """Train the baseline with other latents or weights, and export it to OUT/models.

    Continues from the last checkpoint of an interrupted training. Raises InputError if it fails.
    """
    if not CONFIG.is_file():
        raise InputError(f"--train needs {CONFIG}: run it in a copy of the repository")
    folder = out / "models" / "training"
    run = folder / name / "version_0"
    last = run / "checkpoints" / "last.ckpt"
    (run / "config.yaml").unlink(missing_ok=True)  # else LightningCLI refuses to continue
    _train(
        "fit",
        f"--config={CONFIG}",
        f"--data.root={root}",
        *TRAINING_OPTIONS[name],
        f"--trainer.logger.init_args.save_dir={folder}",
        f"--trainer.logger.init_args.name={name}",
        "--trainer.logger.init_args.version=0",
        *([f"--ckpt_path={last}"] if last.is_file() else []),
    )
    best = max((run / "checkpoints").glob("best*.ckpt"), key=lambda path: path.stat().st_mtime)
    _train("export", f"--ckpt_path={best}", f"--out={out / 'models' / name}", f"--data.root={root}")


def _train(*arguments: str) -> None:
    """Run `train.py` in a separate process with the same output."""
    done = subprocess.run([sys.executable, "-c", TRAINING, *arguments])
    if done.returncode:
        raise InputError(f"--train: train.py {arguments[0]} ended with status {done.returncode}")

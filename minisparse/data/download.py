"""MNIST from its mirrors, checked by hash."""

from pathlib import Path

from .files import read_idx

SHA256 = {
    "mnist/train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "mnist/train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "mnist/t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "mnist/t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://systemds.apache.org/assets/datasets/mnist/",
)
INSTEAD = (
    "name a folder that holds mnist/*-ubyte.gz with --data-dir, or use the embedded digits with --data digits, or part "
    "of MNIST with --data mnist-small"
)
DOWNLOAD_SECONDS = 15  # timeout of a mirror


def download_mnist(file: str) -> Path:
    """The path of the file in the cache, or from the first mirror with the right content."""
    try:
        import pooch
    except ModuleNotFoundError as error:  # in a browser, which could not reach the mirrors either
        raise ConnectionError(f"MNIST could not be downloaded: {error}; {INSTEAD}") from error

    known = SHA256[f"mnist/{file.removesuffix('.gz')}"]
    pooch.get_logger().setLevel("ERROR")
    for mirror in MNIST_MIRRORS:
        try:
            fetch = pooch.HTTPDownloader(timeout=DOWNLOAD_SECONDS)
            path = Path(
                pooch.retrieve(mirror + file, None, file, pooch.os_cache("minisparse") / "mnist", downloader=fetch)
            )
            read_idx(path, axes=3 if "images" in file else 1, known=known)
            return path
        except ValueError:
            path.unlink()  # a wrong file must not stay in the cache
        except (OSError, RuntimeError):  # requests' errors are OSErrors
            continue
    raise ConnectionError(f"MNIST could not be downloaded from any of {len(MNIST_MIRRORS)} mirrors; {INSTEAD}")

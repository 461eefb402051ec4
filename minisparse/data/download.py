"""Data sets from their mirrors, checked by hash."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..files import writable

SHA256 = {
    "mnist/train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "mnist/train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "mnist/t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "mnist/t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "fashion_mnist/train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "fashion_mnist/train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "fashion_mnist/t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "fashion_mnist/t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "cifar10/data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "cifar10/data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "cifar10/data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "cifar10/data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "cifar10/data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "cifar10/test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://systemds.apache.org/assets/datasets/mnist/",
    ),
    "fashion_mnist": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    "cifar10": ("https://www.cs.toronto.edu/~kriz/",),
}
DOWNLOAD_SECONDS = 15  # timeout of a mirror


def download(name: str, file: str, check: Callable[[Path], Any]) -> Path:
    """The path of a data set's file in the cache, or from the first mirror with the right content.

    check(path) raises ValueError for another content.
    """
    instead = (
        f"name a folder that holds {name}/{file} with --data-dir, or use the included --data digits, or part of MNIST "
        "with --data mnist-small"
    )
    try:
        import pooch
    except ModuleNotFoundError as error:  # in a browser, which could not reach the mirrors either
        raise ConnectionError(f"{name} could not be downloaded: {error}; {instead}") from error

    cache, why = pooch.os_cache("minisparse") / name, ""
    writable(cache)
    pooch.get_logger().setLevel("ERROR")
    for mirror in MIRRORS[name]:
        try:
            fetch = pooch.HTTPDownloader(timeout=DOWNLOAD_SECONDS)
            path = Path(pooch.retrieve(mirror + file, None, file, cache, downloader=fetch))
        except Exception as error:  # requests raises errors of many kinds for odd proxies
            why = f" ({type(error).__name__}: {str(error)[:200]})"
            continue
        try:
            check(path)
            return path
        except ValueError:
            path.unlink()  # a wrong file must not stay in the cache
    raise ConnectionError(
        f"{file} of {name} could not be downloaded from any of {len(MIRRORS[name])} mirrors{why}; {instead}"
    )

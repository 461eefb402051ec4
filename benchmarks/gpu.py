"""The same step on a GPU: PyTorch eager against minisparse on CuPy, both waiting for the loss after every step.

python -m benchmarks.gpu [the options of benchmarks.steps]
"""

from functools import partial

from .harness import Workload, main
from .steps import W1, minisparse_contender, torch_contender, verify

WORKLOADS = (
    Workload(
        "W1 on CUDA, one step of LeNet-300-100, batch 128",
        (
            torch_contender("PyTorch eager", W1, device="cuda"),
            minisparse_contender("minisparse dense", W1, device="cuda"),
            minisparse_contender("minisparse RigL 98 %", W1, 0.98, moving=True, device="cuda"),
            minisparse_contender("minisparse RigL 90 %", W1, 0.9, moving=True, device="cuda"),
        ),
        reference="PyTorch eager",
        verify=partial(verify, W1, device="cuda"),
    ),
)

if __name__ == "__main__":
    main("benchmarks.gpu", __doc__, WORKLOADS)

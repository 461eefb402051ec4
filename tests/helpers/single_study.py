"""The runs of a single study."""

from minisparse.experiments import studies


def go(study, seeds, jobs, directory, **watched):
    """All runs of one study: (run, what its file has)."""
    work = [(study, run) for run in study.runs(seeds)]
    for _, run, result in studies.go(work, jobs, directory, **watched):
        yield run, result

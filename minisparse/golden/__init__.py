"""Golden vectors: small test cases, each with a reason, for any implementation of the papers' methods.

    values   arrays, dicts and tuples in JSON, and the comparison of values
    cases    reading and finding the vectors of v1
    arrays, check    running code under test against them, with NumPy, PyTorch or JAX arrays
    divergences, verdict    how public implementations differ, and which of them an answer matches
    show     a case drawn as rows of signs
    adapt    adapters to fill in

    trajectory, vjp, sites, calls    this package's functions in the form in which cases call them

The vectors are JSON files in v1/, which never change; README.md beside them describes the format.
"""

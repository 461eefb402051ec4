"""Golden vectors: small cases with a reason each, against which anyone checks whether their RigL is RigL.

    values   how a vector writes arrays, dicts and tuples, and how two values compare
    cases    the vectors of v1, read and found
    arrays, check    code of any origin run against them, in whichever library its arrays are
    divergences, verdict    what public code does otherwise, and whose an answer is like
    show     a case drawn as rows of signs

    trajectory, vjp, sites    what of this package answers the cases of whole runs, of gradients and of counting

The vectors are JSON files in v1/, which never change; README.md beside them has the format.
"""

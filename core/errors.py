"""What can go wrong, in words a person can act on.

    WijkError
    ├── CheckFailed    the work was done and the answer is no      exit 1
    ├── BadInput       what was given is wrong, nothing changed    exit 2
    └── Unavailable    something needed is missing or away         exit 3

The command line prints the message and exits with the code; HTTP turns it into problem+json with ``http_status``.
"""

from __future__ import annotations


class WijkError(Exception):
    """Something went wrong that a person can act on: the message says where and what to do."""

    exit_code = 1
    http_status = 500


class CheckFailed(WijkError):  # noqa: N818 - the name says what happened, as the exit code table does
    """The work was done and the answer is no."""

    exit_code = 1
    http_status = 409


class BadInput(WijkError):  # noqa: N818 - see CheckFailed
    """What was given is wrong; nothing was changed."""

    exit_code = 2
    http_status = 422


class Unavailable(WijkError):  # noqa: N818 - see CheckFailed
    """Something that is needed is missing or cannot be reached."""

    exit_code = 3
    http_status = 503

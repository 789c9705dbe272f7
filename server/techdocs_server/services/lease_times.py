"""How long leases and what a collector knows are good for.

A collector reads which blobs are live, and deletes for a while what was not. A
revision that is added meanwhile is not among what it read, but its publisher leased
its blobs before. So every lease must last, from the moment at which its revision is
added, longer than a collector relies on what it read::

    LEASE - LONGEST_PUBLISH > LIVE_SET + what a slow call to the records takes
"""

from __future__ import annotations

from datetime import timedelta

LEASE = timedelta(hours=2)
"""How long a publisher leases what it stores."""
LONGEST_PUBLISH = timedelta(hours=1)
"""A publish that has not added its revision by then fails, and is tried again with new leases."""
LIVE_SET = timedelta(minutes=10)
"""How long after a collector began to read it what is live may be relied on."""

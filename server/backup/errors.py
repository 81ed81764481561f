"""What is wrong with an archive; whoever was given it puts its name in front."""


class UnfitArchiveError(Exception):
    """The backup cannot be restored; the message says why and what to do."""

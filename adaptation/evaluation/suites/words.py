"""The vocabulary the synthetic tasks are written in.

Every word here is one token after a space (a test holds that), so that a rule about a word is a
rule about one embedding: what makes a world learnable in a handful of gradient steps.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Singulars with a regular plural."""
    return tuple((word, f"{word}s") for word in text.split())


NAMES = _words(
    "Tom Anna Ben Mia Sam Lily Max Emma Leo Nora Jack Ella Paul Rosa Adam Ruth Omar Ivy Hugo Zoe"
)

# Things that are counted and bought, singular and plural.
ITEMS = _pairs(
    "apple pen cup book ball coin card egg hat key lemon stamp pear shell cake candle flower "
    "ticket button cookie plate spoon bag rope toy"
)

# Ordinary words that carry no meaning of their own in a jargon world.
JARGON = _words(
    """
    lamp river stone cloud tiger piano grass bridge sugar window forest mirror rocket garden
    winter pepper silver canyon velvet marble falcon harbor island jungle kettle ladder magnet
    meadow needle ocean orchid paddle pebble pillow planet pocket potato prairie pumpkin puzzle
    rabbit ribbon saddle salmon shadow signal spider spring square summer sunset temple thunder
    timber tunnel turtle valley violin walnut whale wheat willow wizard yellow zebra anchor arrow
    autumn bamboo banner barrel basket beaver bottle branch breeze bronze butter cactus camel
    canvas carpet castle cherry circle copper coral cotton crystal desert diamond dolphin dragon
    eagle ember engine feather fiddle flame
    """
)

CITIES = _words("Paris London Rome Berlin Madrid Oslo Tokyo Cairo Lima Delhi Boston Dublin")

COLORS = _words("red blue green white black brown pink purple orange gray")

TOPICS = _words("cats dogs music trains stars history cooking chess football weather birds trees")

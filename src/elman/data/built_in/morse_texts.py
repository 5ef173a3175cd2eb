"""What is sent in Morse code: words, calls, numbers, groups of letters; made, not heard anywhere.

CQ DE OE3KLM K        WHAT TIME IS IT THERE?        RST 579 = QTH LYON.        XQWZP 0M4GT
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from elman.data.built_in.made_sound import Draws

_WORDS: Final = """
A ABLE ABOUT ABOVE ACROSS ACT ADD AFTER AGAIN AGE AGO AIR ALL ALMOST ALONE ALSO ALWAYS AM AMONG AN
AND ANGLE ANIMAL ANSWER ANY APPLE ARE AREA ARM AS ASK AT AUTUMN AWAY BABY BACK BAD BALL BANK BASE BE
BEACH BEAR BEAUTY BED BEEN BEFORE BEGIN BEHIND BELL BEST BETTER BIG BIRD BIT BLACK BLUE BOAT BODY
BOOK BOTH BOX BOY BREAD BRIDGE BRIGHT BRING BROKE BROWN BUILD BUSY BUT BUY BY CALL CAME CAN CAPTAIN
CAR CARE CARRY CASE CATCH CAUSE CHAIR CHANGE CHECK CHILD CITY CLASS CLEAN CLEAR CLIMB CLOCK CLOSE
CLOUD COAST COLD COME COOK COOL COPY CORN COUNT COVER CROSS CRY CUT DANCE DARK DAY DEAD DEEP DESK
DID DO DOG DONE DOOR DOWN DRAW DREAM DRESS DRINK DRIVE DROP DRY DUST EACH EARLY EARTH EAST EASY EAT
EDGE EGG EIGHT ELSE END ENGINE ENJOY ENOUGH EVEN EVENING EVER EVERY EYE FACE FACT FALL FAMILY FAR
FARM FAST FATHER FEEL FEW FIELD FIGHT FILL FIND FINE FIRE FIRST FISH FIVE FLAT FLOOR FLOWER FLY
FOLLOW FOOD FOOT FOR FOREST FORM FOUR FREE FRESH FRIEND FROM FRONT FRUIT FULL GAME GARDEN GATE GAVE
GENTLE GET GIRL GIVE GLAD GLASS GO GOLD GONE GOOD GRASS GREAT GREEN GROUND GROW GUESS HAD HAIR HALF
HAND HAPPY HARBOUR HARD HAS HAT HAVE HE HEAR HEART HEAVY HELP HER HERE HIGH HILL HIM HIS HOLD HOME
HORSE HOT HOUR HOUSE HOW HUNDRED I ICE IDEA IF IN INTO IRON IS ISLAND IT JOB JOIN JOURNEY JUMP JUST
KEEP KEY KIND KING KITCHEN KNEW KNOW LADY LAKE LAMP LAND LARGE LAST LATE LAUGH LAY LEAD LEAF LEARN
LEAVE LEFT LESS LET LETTER LIFE LIGHT LIKE LINE LIST LITTLE LIVE LONG LOOK LOT LOUD LOVE LOW LUCKY
LUNCH MACHINE MADE MAKE MAN MANY MAP MARK MARKET MAY ME MEAN MEET MEMORY MESSAGE METAL MIGHT MILE
MILK MIND MINUTE MISS MONEY MONTH MOON MORE MORNING MOST MOTHER MOUNTAIN MOVE MUCH MUSIC MUST MY
NAME NEAR NEED NEVER NEW NEXT NICE NIGHT NINE NO NOISE NORTH NOSE NOT NOTE NOW NUMBER OBJECT OCEAN
OF OFF OFTEN OIL OLD ON ONCE ONE ONLY OPEN OR ORANGE ORDER OTHER OUR OUT OVER OWN PAGE PAINT PAIR
PAPER PART PASS PAST PAY PEACE PEOPLE PERHAPS PICTURE PIECE PILOT PLACE PLAIN PLANE PLANT PLAY
PLEASE POINT POOR PORT PRESS PRIZE PULL PUSH PUT QUARTER QUEEN QUESTION QUICK QUIET QUITE RADIO RAIN
RAN REACH READ READY RED REST RICH RIDE RIGHT RING RIVER ROAD ROCK ROOM ROSE ROUND RULE RUN SAFE
SAID SAIL SALT SAME SAND SAW SAY SCHOOL SEA SEAT SECOND SEE SEEM SELL SEND SENT SET SEVEN SHALL
SHARP SHE SHIP SHOE SHOP SHORT SHOW SHUT SIDE SIGN SILVER SING SISTER SIT SIX SIZE SKY SLEEP SLOW
SMALL SMILE SMOKE SNOW SO SOFT SOME SONG SOON SOUND SOUTH SPACE SPEAK SPEED SPELL SPRING SQUARE
STAND STAR START STATION STAY STEP STILL STONE STOP STORM STORY STREET STRONG SUCH SUGAR SUMMER SUN
SURE SWEET SWIM TABLE TAKE TALK TALL TEACH TELL TEN THAN THANK THAT THE THEIR THEM THEN THERE THESE
THEY THING THINK THIRD THIS THOSE THREE THROUGH TIME TINY TO TODAY TOGETHER TOO TOP TOWER TOWN TRAIN
TREE TRIP TRUE TRY TURN TWO UNDER UNTIL UP US USE VALLEY VERY VIEW VILLAGE VISIT VOICE WAIT WALK
WALL WANT WARM WAS WASH WATCH WATER WAVE WAY WE WEATHER WEEK WELL WENT WERE WEST WHAT WHEEL WHEN
WHERE WHICH WHILE WHITE WHO WHOLE WHY WIDE WILD WILL WIND WINDOW WINTER WIRE WISH WITH WOMAN WOOD
WORD WORK WORLD WOULD WRITE WRONG YEAR YELLOW YES YET YOU YOUNG YOUR ZERO
"""
_TRAFFIC: Final = """
CQ DE K KN R TNX FER UR RST NAME QTH WX RIG ANT PWR HR HW? AGN? PSE QRM QRN QSB QSY QSL? QRZ? 73 88
599 579 559 449 = GM GA GE GUD DX OM YL ES VY HPE CUL TEST BK SK
"""
_PREFIXES: Final = """
G M F DL OE HB9 I EA PA ON OZ SM OH LA SP OK JA VK ZL W K N VE PY LU UA BY
"""
WORDS: Final = tuple(_WORDS.split())
TRAFFIC: Final = tuple(_TRAFFIC.split())  # what amateurs send
PREFIXES: Final = tuple(_PREFIXES.split())  # of call signs
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS: Final = "0123456789"
MARKS: Final = "?/.,="
ENDS: Final = (".", ".", ",", "?", " =")


def phrase(draw: Draws, fits: Callable[[str], bool]) -> str:
    """Words of one kind, as many as fit; where none does, one letter."""
    kind = _KINDS[draw.between(0, len(_KINDS) - 1)]
    text, refused = "", 0
    while refused < 4:
        longer = f"{text} {kind(draw)}".strip()
        if fits(longer):
            text = longer
        else:
            refused += 1
    return text or _letters(draw, fits)


def _letters(draw: Draws, fits: Callable[[str], bool]) -> str:
    """A group of letters, as long as fits; at least the shortest."""
    text = ""
    for _ in range(4):
        longer = text + _one(draw, LETTERS)
        text = longer if fits(longer) else text
    return text or "E"


def _one(draw: Draws, of: str) -> str:
    return of[draw.between(0, len(of) - 1)]


def _word(draw: Draws) -> str:
    word = WORDS[draw.between(0, len(WORDS) - 1)]
    return word + ENDS[draw.between(0, len(ENDS) - 1)] if draw.one_in(4) else word


def _call(draw: Draws) -> str:
    """A call sign, as such are made up: DL5ABC, VK3XY/P."""
    prefix = PREFIXES[draw.between(0, len(PREFIXES) - 1)]
    digit = "" if prefix[-1].isdigit() else _one(draw, DIGITS)
    suffix = "".join(_one(draw, LETTERS) for _ in range(draw.between(1, 3)))
    return f"{prefix}{digit}{suffix}" + (f"/{_one(draw, 'PMAQ')}" if draw.one_in(6) else "")


def _traffic(draw: Draws) -> str:
    if draw.one_in(3):
        return _call(draw)
    return TRAFFIC[draw.between(0, len(TRAFFIC) - 1)]


def _number(draw: Draws) -> str:
    """A number, a time, a date, a price: 1844, 0730, 24/5/1844, 3.5, 1,250."""
    digits = "".join(_one(draw, DIGITS) for _ in range(draw.between(1, 5)))
    mark = draw.between(0, 5)
    if mark < 3 and len(digits) > 1:
        cut = draw.between(1, len(digits) - 1)
        return f"{digits[:cut]}{'/.,'[mark]}{digits[cut:]}"
    return digits


def _group(draw: Draws) -> str:
    """A group of five of anything, of letters mostly."""
    alphabet = LETTERS + DIGITS + MARKS if draw.one_in(3) else LETTERS
    return "".join(_one(draw, alphabet) for _ in range(5))


_KINDS: Final = (_word, _word, _word, _traffic, _number, _group, _group)

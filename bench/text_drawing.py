"""Draws strings and side markers over films, in many fonts, sizes and contrasts: for the training and the test of the text detector.

Films are arrays of numbers from 0 (black) to 1 (white). Fonts are those of the system (fc-list), split into two halves by family, so that the
test draws with fonts that the training never drew with.
"""
import hashlib, subprocess
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FIRST = "Zebedee Wilhelmina Ingrid Oswald Philippa Cornelius Beatrix Thaddeus Marguerite Leopold Rosalind Ignatius Adelaide Bartholomew Chen Mei-Ling Jun Yuki Haruto Aoife Søren Zoë José Ana Li Bo".split()
LAST = "Quisling Wolfenstein Featherstone Abernathy Kowalczyk Oduya Hargreaves Villanueva Lindqvist Mbeki Takahashi Rasmussen Petrov O'Brien Smith-Jones Garcia Wang Chang Ng Müller Fox Lee Dupont Almeida Novak Yamamoto Schmidt".split()
PLACES = ["Saint Hubert Hospital", "CHANG GUNG MEM HOSP", "Elmtree Clinic", "Radiology Dept", "St. Mary's", "Klinikum Nord", "ER Room 3", "GENERAL HOSPITAL", "Ward 7B"]
HAN_LAST, HAN_FIRST = "王李張劉陳楊黃趙吳周", "小東明華建國志偉淑芬美玲俊傑雅婷"


def has(path, characters):
    """Whether a font has these characters: each looks different from the others and from a character that no font has."""
    try:
        face = ImageFont.truetype(path, 24)
        return len({bytes(face.getmask(c)) for c in characters + "\uffff"}) == len(characters) + 1
    except OSError:
        return False


def _fonts():
    lines = subprocess.run(["fc-list", ":", "file", "family", "lang"], capture_output=True, text=True).stdout.splitlines()
    latin, han = {}, {}
    for line in sorted(lines):
        path, _, rest = line.partition(":")
        family = rest.split(":")[0].split(",")[0].strip()
        if not path.lower().endswith((".ttf", ".otf", ".ttc", ".pfb", ".t1")) or any(w in line for w in ["Math", "Symbol", "Dingbat", "Emoji", "D050000L", "icon"]):
            continue
        if has(path, "王小右"):
            han.setdefault(family, []).append(path)
        if has(path, "L7g"):
            latin.setdefault(family, []).append(path)
    return latin, han


LATIN, HAN = _fonts()


def fonts_of(half):
    """The fonts of a half, 0 (training and tuning) or 1 (held out), by the hash of the family's name."""
    def pick(families):
        split = {0: [], 1: []}
        for family in families:
            split[hashlib.sha256(family.encode()).digest()[0] % 2].append(family)
        return [families[f] for f in (split[half] or list(families))]
    return {"latin": pick(LATIN), "han": pick(HAN)}


def font(rng, pool, size):
    paths = pool[rng.integers(len(pool))]
    for _ in range(5):
        try:
            return ImageFont.truetype(paths[rng.integers(len(paths))], int(size))
        except OSError:
            pass
    return ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", int(size))


def string(rng):
    """A string that identifies; some are in Chinese characters. Returns the text, whether it is, and whether it is a name."""
    d = lambda n: "".join(str(v) for v in rng.integers(0, 10, n))
    pick = lambda of: of[rng.integers(len(of))]
    first, last = pick(FIRST), pick(LAST)
    date = f"{rng.integers(1930, 2024)}{pick('-/.')}{rng.integers(1, 13):02}-{rng.integers(1, 29):02}"
    kind = rng.integers(12)
    if kind == 11:
        return pick(HAN_LAST) + "".join(pick(HAN_FIRST) for _ in range(2)) + pick(["", "骨科"]), True, True
    text = [f"{last}, {first}", f"{last}^{first}", f"{first} {last}", last.upper(), f"ID {d(7)}", f"{d(8)}", date, f"DOB: {date}",
            f"ACC {pick('ABXR')}{d(6)}", f"{date} {rng.integers(0, 24):02}:{d(1)}{d(1)}", pick(PLACES)][kind]
    return text, False, kind < 4


def ink(text, face, spacing=0):
    """The coverage of a text, 0 to 1, cut to its ink."""
    left, top, right, bottom = face.getbbox(text)
    image = Image.new("L", (max(right - left, 1) + 8, max(bottom - top, 1) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=face)
    box = image.getbbox()
    return None if box is None else np.asarray(image.crop(box), np.float32) / 255


def pixel_ink(rng, text, size):
    """A text of the small bitmap font, enlarged without smoothing as old modalities draw it."""
    mask = ImageFont.load_default_imagefont().getmask(text.encode("latin-1", "ignore").decode("latin-1"), "1")
    small = np.asarray(list(mask), np.float32).reshape(mask.size[::-1]) / 255
    rows, columns = np.nonzero(small.any(1))[0], np.nonzero(small.any(0))[0]
    if not len(rows):
        return None
    small = small[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    factor = max(1, round(size / 11))
    return np.kron(small, np.ones((factor, factor), np.float32))


def blurred(mask, sigma):
    image = Image.fromarray((mask * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(sigma)), np.float32) / 255


def place(rng, shape, size, taken, margin, corner):
    """A free place for a box, in a corner or anywhere."""
    (rows, columns), (h, w) = shape, size
    if h + 4 >= rows or w + 4 >= columns:
        return None
    for _ in range(30):
        if corner:
            x = rng.integers(2, max(3, min(24, columns - w - 2)))
            y = rng.integers(2, max(3, min(rows // 5, rows - h - 2)))
            x = x if rng.random() < .5 else columns - w - x
            y = y if rng.random() < .5 else rows - h - y
        else:
            x, y = rng.integers(1, columns - w - 1), rng.integers(1, rows - h - 1)
        x, y = int(x), int(y)
        if all(x + w + margin < a or a + c + margin < x or y + h + margin < b or b + d + margin < y for a, b, c, d in taken):
            return x, y
    return None


def contrast(rng, film, x, y, h, w, least):
    """A gray that differs from what lies below by a contrast; overlays at the extremes are most frequent."""
    below = film[y:y + h, x:x + w]
    low, high = float(np.percentile(below, 10)), float(np.percentile(below, 90))
    if rng.random() < .5:
        gray = 1.0 if (low + high) / 2 < .6 else 0.0
        if abs(gray - (high if gray else low)) >= least:
            return gray
    c = rng.uniform(least, 1)
    up, down = high + c, low - c
    options = [v for v in (up, down) if 0 <= v <= 1]
    return options[rng.integers(len(options))] if options else (1.0 if 1 - high > low else 0.0)


def draw_text(rng, film, fonts, taken, least=.1, sizes=(8, 60)):
    """Draws a string over a film, in place; its record, or `None` where no place is free."""
    size = float(np.exp(rng.uniform(np.log(sizes[0]), np.log(sizes[1] + .9))))
    text, is_han, is_name = string(rng)
    size = max(size, 11) if is_han else size
    if not is_han and rng.random() < .12:
        mask = pixel_ink(rng, text, size)
    else:
        mask = ink(text, font(rng, fonts["han" if is_han else "latin"], size))
    if mask is None or min(mask.shape) < 4:
        return None
    turned = rng.random() < .04
    if turned:
        mask = np.rot90(mask, rng.choice([1, 3]))
    if rng.random() < .4:
        mask = blurred(mask, rng.uniform(.3, .6))
    h, w = mask.shape
    at = place(rng, film.shape, (h, w), taken, max(6, size), rng.random() < .45)
    if at is None:
        return None
    x, y = at
    style = rng.choice(["plain", "black box", "white box", "frame", "outline"], p=[.62, .12, .08, .08, .1])
    pad = int(max(2, size * .25))
    top, left, bottom, right = max(y - pad, 0), max(x - pad, 0), min(y + h + pad, film.shape[0]), min(x + w + pad, film.shape[1])
    if style.endswith("box"):
        film[top:bottom, left:right] = 0 if style == "black box" else 1
        gray = (1 if style == "black box" else 0) if rng.random() < .7 else (rng.uniform(.3, 1) if style == "black box" else rng.uniform(0, .7))
    else:
        gray = contrast(rng, film, x, y, h, w, least if size > 12 else max(least, .25))
    if style == "frame":
        for edge in (np.s_[top:top + 1, left:right], np.s_[bottom - 1:bottom, left:right], np.s_[top:bottom, left:left + 1], np.s_[top:bottom, right - 1:right]):
            film[edge] = gray
    if style == "outline":
        wide = np.zeros((h + 2, w + 2), np.float32)
        for dy in range(3):
            for dx in range(3):
                wide[dy:dy + h, dx:dx + w] = np.maximum(wide[dy:dy + h, dx:dx + w], mask)
        part = film[y - 1:y + h + 1, x - 1:x + w + 1]
        part += wide * ((0 if gray > .5 else 1) - part)
    part = film[y:y + h, x:x + w]
    opacity = 1 if rng.random() < .85 else rng.uniform(.7, 1)
    part += mask * opacity * (gray - part)
    taken.append((x, y, w, h))
    return {"kind": "text", "text": text, "box": [x, y, w, h], "size": round(size, 1), "style": str(style), "turned": bool(turned), "han": bool(is_han), "is_name": bool(is_name)}


def marker_ink(rng, fonts, size):
    """A side marker: a letter or two, Chinese characters, an arrow; some in a circle or a box, as lead markers are."""
    kind = rng.choice(["L", "R", "LT", "RT", "左", "右", "arrow", "ring"], p=[.27, .27, .08, .08, .04, .04, .1, .12])
    if kind == "arrow":
        n = int(size)
        image = Image.new("L", (n, n))
        draw = ImageDraw.Draw(image)
        draw.polygon([(n * .5, 0), (n * .95, n * .45), (n * .62, n * .45), (n * .62, n - 1), (n * .38, n - 1), (n * .38, n * .45), (n * .05, n * .45)], fill=255)
        return kind, np.rot90(np.asarray(image, np.float32) / 255, rng.integers(4))
    pool = fonts["han"] if kind in "左右" else fonts["latin"]
    letter = kind if kind != "ring" else str(rng.choice(["L", "R"]))
    mask = ink(letter, font(rng, pool, size))
    if mask is not None and (kind == "ring" or rng.random() < .1):
        h, w = mask.shape
        n = int(max(h, w) * 1.7)
        image = Image.new("L", (n, n))
        shape = ImageDraw.Draw(image).ellipse if rng.random() < .6 else ImageDraw.Draw(image).rectangle
        shape((1, 1, n - 2, n - 2), outline=255, width=max(1, int(size / 12)))
        whole = np.array(image, np.float32) / 255
        y, x = (n - h) // 2, (n - w) // 2
        whole[y:y + h, x:x + w] = np.maximum(whole[y:y + h, x:x + w], mask)
        mask = whole
    return kind, mask


def draw_marker(rng, film, fonts, taken, sizes=(22, 150)):
    """Draws a side marker over a film, in place; its record, or `None` where no place is free."""
    size = float(np.exp(rng.uniform(np.log(sizes[0]), np.log(sizes[1]))))
    kind, mask = marker_ink(rng, fonts, size)
    if mask is None or min(mask.shape) < 3:
        return None
    if rng.random() < .15:
        mask = mask[:, ::-1]
    if rng.random() < .6:
        mask = blurred(mask, rng.uniform(.4, max(.5, size / 40)))
    if rng.random() < .25:
        turned = Image.fromarray((mask * 255).astype(np.uint8)).rotate(rng.uniform(-20, 20), Image.BICUBIC, expand=True)
        mask = np.asarray(turned, np.float32) / 255
    h, w = mask.shape
    at = place(rng, film.shape, (h, w), taken, max(8, size * .6), rng.random() < .4)
    if at is None:
        return None
    x, y = at
    part = film[y:y + h, x:x + w]
    below = float(part.mean())
    gray = rng.uniform(min(1, below + .25), 1) if below < .8 else rng.uniform(0, .3)
    part += mask * (gray - part)
    taken.append((x, y, w, h))
    return {"kind": "marker", "text": str(kind), "box": [x, y, w, h], "size": round(size, 1)}

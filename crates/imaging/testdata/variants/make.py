"""Makes the files beside this script and `expected.csv`: one film in many unusual encodings, after faults that users of other
tools reported.

Run in this folder: python make.py. Needs pydicom 3, numpy, pillow, imagecodecs and tifffile. The picture is made up; no file comes
from a patient.

A row of expected.csv: a file, then either another file whose display values it must have, with the largest difference allowed, or
`refused` and words that the message must have.
"""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from pydicom import Dataset, Sequence
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

ROWS, COLUMNS = 24, 32
EXPLICIT, BASELINE, LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
JPEG_LS, J2K, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"

expected = []


def picture(bits):
    """A bright disk on a ramp from 0 to the largest value of `bits`."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    value = x / COLUMNS + np.clip(1 - np.hypot(y - 10, x - 12) / 8, 0, 1)
    value = (value - value.min()) / (value.max() - value.min())
    return np.round(value * (2**bits - 1)).astype(np.uint16)


EIGHT, TWELVE = picture(8).astype(np.uint8), picture(12)
GRAY = np.repeat(EIGHT[:, :, None], 3, axis=2)
YBR = np.dstack([EIGHT, np.full_like(EIGHT, 128), np.full_like(EIGHT, 128)])


def film(pixels, bits, photometric="MONOCHROME2", signed=False, allocated=None):
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7" if pixels.ndim == 3 else "1.2.840.10008.5.1.4.1.1.1"
    data.SOPInstanceUID = "2.25.1"
    data.Modality = "OT" if pixels.ndim == 3 else "CR"
    data.PatientName = "SECRET^NAME"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = photometric
    data.BitsAllocated = allocated or (16 if bits > 8 else 8)
    data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
    data.PixelData = pixels.astype(f"<{'iu'[not signed]}{data.BitsAllocated // 8}").tobytes()
    data["PixelData"].VR = "OW" if data.BitsAllocated == 16 else "OB"
    return data


def window(data, center, width):
    data.WindowCenter, data.WindowWidth = center, width
    return data


def write(name, data, syntax=EXPLICIT, stream=None):
    if stream is not None:
        data.PixelData = encapsulate([stream])
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    data.file_meta.ImplementationClassUID = "2.25.2"
    data.save_as(f"{name}.dcm", enforce_file_format=True)


def same(name, reference, tolerance=0.01):
    expected.append(f"{name},{reference},{tolerance}")


def refused(name, words):
    expected.append(f"{name},refused,{words}")


def jpeg(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def marked(stream, names=None, app=None):
    """A JPEG stream without its application segments but with `app`, its components renamed."""
    output, at = bytearray(stream[:2] + (app or b"")), 2
    while True:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        segment = bytearray(stream[at : at + 2 + length])
        if names and marker in (0xC0, 0xC1, 0xC2, 0xDA):
            first, step = (5, 2) if marker == 0xDA else (10, 3)
            for i in range(segment[first - 1]):
                old = segment[first + step * i]
                segment[first + step * i] = names[old]
        if marker not in (0xE0, 0xEE):
            output += segment
        at += 2 + length
        if marker == 0xDA:
            break
    if names:  # Scans after the first, of progressive streams.
        rest = bytearray(stream[at:])
        i = 0
        while (i := rest.find(b"\xff\xda", i)) >= 0:
            for k in range(rest[i + 4]):
                rest[i + 5 + 2 * k] = names[rest[i + 5 + 2 * k]]
            i += 2
        return bytes(output + rest)
    return bytes(output) + stream[at:]


JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe\0d\0\0\0\0" + bytes([transform])


def color():
    write("gray", film(EIGHT, 8))
    rgb, ybr = jpeg(GRAY, keep_rgb=True), jpeg(GRAY, subsampling=0)
    shared, progressive = jpeg(GRAY, subsampling=1), jpeg(GRAY, keep_rgb=True, progressive=True)
    numbered = dict(zip(b"RGB", (1, 2, 3)))
    zero = dict(zip(b"RGB", (0, 1, 2)))
    for name, photometric, stream in [
        ("jpeg_rgb_named", "RGB", marked(rgb)),
        ("jpeg_rgb_numbered", "RGB", marked(rgb, numbered)),
        ("jpeg_rgb_from_zero", "RGB", marked(rgb, zero)),
        ("jpeg_rgb_adobe_0", "RGB", marked(rgb, numbered, adobe(0))),
        ("jpeg_rgb_progressive", "RGB", marked(progressive, numbered)),
        ("jpeg_rgb_said_ybr", "YBR_FULL_422", marked(rgb, numbered, adobe(0))),
        ("jpeg_rgb_jfif", "RGB", marked(rgb, numbered, JFIF)),
        ("jpeg_ybr_plain", "YBR_FULL", marked(ybr)),
        ("jpeg_ybr_422", "YBR_FULL_422", marked(shared)),
        ("jpeg_ybr_named_rgb", "YBR_FULL_422", marked(ybr, dict(zip((1, 2, 3), b"RGB")), adobe(1))),
        ("jpeg_ybr_said_rgb", "RGB", marked(ybr, None, JFIF)),
        ("jpeg_ybr_adobe_1_said_rgb", "RGB", marked(ybr, None, adobe(1))),
    ]:
        write(name, film(GRAY, 8, photometric), BASELINE, stream)
        same(f"{name}.dcm", "gray.dcm", 8)
    for name, stream in [
        ("rgb_named", marked(rgb)),
        ("rgb_adobe_0", marked(rgb, numbered, adobe(0))),
        ("ybr_plain", marked(ybr)),
        ("ybr_progressive", jpeg(GRAY, progressive=True)),
        ("ybr_restarts", jpeg(GRAY, restart_marker_blocks=2)),
    ]:
        Path(f"{name}.jpg").write_bytes(stream)
        same(f"{name}.jpg", "gray.dcm", 8)
    for name, pixels, bits in [("lossless_8", EIGHT, 8), ("lossless_12", TWELVE, 12)]:
        Path(f"{name}.jpg").write_bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=bits))
    same("lossless_8.jpg", "gray.dcm")
    same("lossless_12.jpg", "raw_12.tif")
    tifffile.imwrite("raw_12.tif", TWELVE, photometric="minisblack")
    buffer = io.BytesIO()
    Image.fromarray(GRAY).convert("CMYK").save(buffer, "JPEG")
    Path("cmyk.jpg").write_bytes(buffer.getvalue())
    refused("cmyk.jpg", "4 components (CMYK) is not supported")

    j2k = dict(codecformat="j2k", reversible=True)
    for name, photometric, pixels, transform in [
        ("j2k_ybr_full", "YBR_FULL", YBR, False),
        ("j2k_rgb", "RGB", GRAY, False),
        ("j2k_rct", "YBR_RCT", GRAY, True),
        ("j2k_rct_said_rgb", "RGB", GRAY, True),
        ("j2k_rct_said_ybr_full", "YBR_FULL", GRAY, True),
        ("j2k_ybr_full_transformed", "YBR_FULL", YBR, True),
        ("j2k_rgb_said_rct", "YBR_RCT", GRAY, False),
        ("j2k_ybr_said_ict", "YBR_ICT", YBR, False),
    ]:
        write(name, film(GRAY, 8, photometric), J2K, imagecodecs.jpeg2k_encode(pixels, mct=transform, **j2k))
        same(f"{name}.dcm", "gray.dcm")
    write("jpeg_ls_color", film(GRAY, 8, "RGB"), JPEG_LS, imagecodecs.jpegls_encode(GRAY))
    refused("jpeg_ls_color.dcm", "JPEG-LS of color is not supported")

    rle = film(YBR, 8, "YBR_FULL")
    rle.compress(RLE, YBR, encoding_plugin="pydicom", generate_instance_uid=False)
    write("rle_ybr_full", rle, RLE)
    same("rle_ybr_full.dcm", "gray.dcm")
    half = film(YBR, 8, "YBR_FULL_422")
    pairs = EIGHT.reshape(-1, 2)
    half.PixelData = np.hstack([pairs, np.full_like(pairs, 128)]).tobytes()
    write("native_ybr_422", half)
    same("native_ybr_422.dcm", "gray.dcm")
    for name, photometric, pixels in [
        ("native_ybr_422_unshared", "YBR_FULL_422", YBR),
        ("native_rct_is_rgb", "YBR_RCT", GRAY),
        ("native_ict_is_ybr", "YBR_ICT", YBR),
    ]:
        write(name, film(pixels, 8, photometric))
        same(f"{name}.dcm", "gray.dcm")


def lut_item(entries, bits, first=0, count=None, packed=False, vr="US"):
    item = Dataset()
    count = len(entries) if count is None else count
    item.add_new("LUTDescriptor", vr, [count % 65536, first, bits])
    item.add_new("LUTData", "OW", np.asarray(entries, "u1" if packed else "<u2").tobytes())
    return item


def tables():
    curve = (np.arange(4096) / 4095) ** 2

    def voi(name, item, pixels=TWELVE, signed=False):
        data = film(pixels, 12, signed=signed)
        data.VOILUTSequence = Sequence([item])
        write(name, data)

    voi("lut_16", lut_item(np.round(curve * 65535), 16))
    for declared, actual in [(16, 12), (16, 10), (16, 14), (12, 16), (12, 10), (10, 12), (8, 12)]:
        name = f"lut_{declared}_holds_{actual}"
        voi(name, lut_item(np.round(curve * (2**actual - 1)), declared))
        same(f"{name}.dcm", "lut_16.dcm", 0.26)
    voi("lut_8_packed", lut_item(np.round(curve * 255), 8, packed=True))
    same("lut_8_packed.dcm", "lut_16.dcm", 0.51)
    voi("lut_longer", lut_item(np.append(np.round(curve * 65535), [0, 0, 0, 0]), 16, count=4096))
    same("lut_longer.dcm", "lut_16.dcm")
    signed = TWELVE.astype(np.int64) - 2048
    voi("lut_signed", lut_item(np.round(curve * 65535), 16, first=-2048, vr="SS"), signed, True)
    voi("lut_signed_as_unsigned", lut_item(np.round(curve * 65535), 16, first=65536 - 2048), signed, True)
    same("lut_signed.dcm", "lut_16.dcm")
    same("lut_signed_as_unsigned.dcm", "lut_16.dcm")
    voi("lut_shorter", lut_item(np.round(curve * 65535)[:4000], 16, count=4096))
    refused("lut_shorter.dcm", "LUTData (0028;3006) is of 8000 bytes")
    voi("lut_zero", lut_item(np.zeros(4096), 16))
    refused("lut_zero.dcm", "LUTData (0028;3006) is 0 in every entry")

    linear = np.arange(4096) * 16
    for name, bits in [("modality_16", 16), ("modality_12_holds_16", 12)]:
        data = window(film(TWELVE, 12), 32768, 65536)
        data.ModalityLUTSequence = Sequence([lut_item(linear, bits)])
        data.ModalityLUTSequence[0].ModalityLUTType = "US"
        write(name, data)
    same("modality_12_holds_16.dcm", "modality_16.dcm")


def element(group, number, value, explicit=None, length=None):
    """An element of Implicit VR Little Endian, or of explicit VR where that is given (its length in two bytes)."""
    tag = group.to_bytes(2, "little") + number.to_bytes(2, "little")
    length = len(value) if length is None else length
    if explicit:
        return tag + explicit + length.to_bytes(2, "little") + value
    return tag + length.to_bytes(4, "little") + value


UNDEFINED = 0xFFFFFFFF
ITEM_END, SEQUENCE_END = element(0xFFFE, 0xE00D, b""), element(0xFFFE, 0xE0DD, b"")


def item(content):
    return element(0xFFFE, 0xE000, content + ITEM_END, length=UNDEFINED)


def unknown(group, number, content):
    tag = group.to_bytes(2, "little") + number.to_bytes(2, "little")
    return tag + b"UN\0\0\xff\xff\xff\xff" + content + SEQUENCE_END


def insert(name, source, before, content):
    """A copy of a file with bytes put before the element of that tag."""
    raw = Path(f"{source}.dcm").read_bytes()
    at = raw.rindex(before)
    Path(f"{name}.dcm").write_bytes(raw[:at] + content + raw[at:])


def nested():
    write("plain", window(film(TWELVE, 12), 2048, 4096))
    rows = b"\x28\x00\x10\x00US"
    leaf = element(0x0011, 0x1001, b"CODE")
    black = np.zeros_like(TWELVE)
    stream = imagecodecs.jpeg2k_encode(TWELVE, codecformat="j2k", reversible=True, bitspersample=12)
    icon = imagecodecs.jpeg2k_encode(black, codecformat="j2k", reversible=True, bitspersample=12)
    fragments = encapsulate([icon]) + SEQUENCE_END
    pixels = element(0x7FE0, 0x0010, fragments, length=UNDEFINED)
    decoy = element(0x0028, 0x0010, b"\x01\0") + element(0x0028, 0x1050, b"9 ")
    for name, content in [
        ("un_implicit", unknown(0x0011, 0x1000, item(leaf))),
        ("un_nested", unknown(0x0011, 0x1000, item(element(0x0011, 0x1002, item(leaf) + SEQUENCE_END, length=UNDEFINED)))),
        ("un_defined_items", unknown(0x0011, 0x1000, element(0xFFFE, 0xE000, leaf))),
        ("un_explicit", unknown(0x0011, 0x1000, item(element(0x0011, 0x1001, b"CODE", b"LO")))),
        ("un_empty", unknown(0x0011, 0x1000, b"")),
        ("un_decoy", unknown(0x0011, 0x1000, item(decoy))),
        ("un_icon", unknown(0x0011, 0x1000, item(pixels))),
        ("un_twice", unknown(0x0011, 0x1000, item(leaf) + item(leaf)) + unknown(0x0013, 0x1000, item(leaf))),
    ]:
        insert(name, "plain", rows, content)
        same(f"{name}.dcm", "plain.dcm")
    write("j2k_plain", window(film(TWELVE, 12), 2048, 4096), J2K, stream)
    same("j2k_plain.dcm", "plain.dcm")
    explicit_pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + fragments
    icons = b"\x88\x00\x00\x02SQ\0\0\xff\xff\xff\xff" + item(explicit_pixels) + SEQUENCE_END
    insert("icon_of_the_films_size", "j2k_plain", b"\xe0\x7f\x10\x00OB", icons)
    insert("icon_in_unknown", "j2k_plain", b"\xe0\x7f\x10\x00OB", unknown(0x0088, 0x0200, item(pixels)))
    same("icon_of_the_films_size.dcm", "plain.dcm")
    same("icon_in_unknown.dcm", "plain.dcm")
    table = np.round((np.arange(4096) / 4095) ** 2 * 65535).astype("<u2").tobytes()
    lut = element(0x0028, 0x3002, np.array([4096, 0, 16], "<u2").tobytes()) + element(0x0028, 0x3006, table)
    write("raw", film(TWELVE, 12))
    insert("un_voi_lut", "raw", b"\xe0\x7f\x10\x00O", unknown(0x0028, 0x3010, item(lut)))
    same("un_voi_lut.dcm", "lut_16.dcm")


def signs():
    # Twelve bits of two's complement.
    values = TWELVE.astype(np.int64) - 2048
    write("signed", window(film(values, 16, signed=True), 0, 4096))
    patterns = (values & 0xFFF).astype(np.uint16)
    j2k = dict(codecformat="j2k", reversible=True, bitspersample=12)
    encoders = {
        "j2k": (J2K, imagecodecs.jpeg2k_encode(patterns, **j2k)),
        "jpeg_ls": (JPEG_LS, imagecodecs.jpegls_encode(patterns)),
        "lossless": (LOSSLESS, imagecodecs.ljpeg_encode(patterns, bitspersample=12)),
        "j2k_signed": (J2K, imagecodecs.jpeg2k_encode(values.astype(np.int16), **j2k)),
    }
    for name, (syntax, stream) in encoders.items():
        # imagecodecs writes JPEG-LS of 16 bits only, whose sign is in Bits Stored.
        for stored in (12,) if name == "jpeg_ls" else (12, 16):
            data = window(film(values, stored, signed=True, allocated=16), 0, 4096)
            write(f"signed_{name}_{stored}", data, syntax, stream)
            same(f"signed_{name}_{stored}.dcm", "signed.dcm")
    data = window(film(TWELVE, 12), 0, 4096)
    write("unsigned_j2k_signed", data, J2K, encoders["j2k_signed"][1])
    refused("unsigned_j2k_signed.dcm", "PixelRepresentation (0028;0103) says unsigned")


def shapes():
    """Display shutters and pixels that are not square."""
    frame = np.zeros((ROWS, COLUMNS), bool)
    frame[2:20, 4:30] = True
    cut = film(np.where(frame, TWELVE, 4095), 12)
    padded = film(np.where(frame, TWELVE, 4095), 12)
    padded.PixelPaddingValue = 4095
    for data in (cut, padded):
        data.PixelData = np.where(frame, np.minimum(TWELVE, 4094), 4095).astype("<u2").tobytes()
    write("padded", padded)
    cut.ShutterShape = "RECTANGULAR"
    cut.ShutterLeftVerticalEdge, cut.ShutterRightVerticalEdge = 5, 30
    cut.ShutterUpperHorizontalEdge, cut.ShutterLowerHorizontalEdge = 3, 20
    write("shutter_rectangle", cut)
    same("shutter_rectangle.dcm", "padded.dcm")
    cut.ShutterShape = "POLYGONAL"
    cut.VerticesOfThePolygonalShutter = [3, 5, 3, 31, 21, 31, 21, 5]
    write("shutter_polygon", cut)
    same("shutter_polygon.dcm", "padded.dcm", 0.5)
    cut.ShutterShape = "BITMAP"
    write("shutter_bitmap", cut)
    refused("shutter_bitmap.dcm", "ShutterShape (0018;1600) BITMAP is not supported")
    cut.ShutterShape = "RECTANGULAR"
    cut.ShutterRightVerticalEdge = 4
    write("shutter_closed", cut)
    refused("shutter_closed.dcm", "ShutterShape (0018;1600) is closed by its own edges")
    for name, ratio in [("flat", [9, 1]), ("high", [1, 9])]:
        data = film(TWELVE, 12)
        data.PixelAspectRatio = ratio
        write(f"pixels_{name}", data)
        refused(f"pixels_{name}.dcm", "times as high as wide")


def tiffs():
    tifffile.imwrite("gray.tif", EIGHT)
    same("gray.tif", "gray.dcm")
    reversed_bits = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))

    def from_lowest_bit(name, pixels, **options):
        buffer = io.BytesIO()
        # A private tag, renamed to FillOrder afterwards.
        tifffile.imwrite(buffer, pixels, extratags=[(65000, "H", 1, 2, True)], **options)
        raw = bytearray(buffer.getvalue())
        page = tifffile.TiffFile(io.BytesIO(bytes(raw))).pages[0]
        for at, length in zip(page.dataoffsets, page.databytecounts):
            raw[at : at + length] = raw[at : at + length].translate(reversed_bits)
        tag = page.tags[65000]
        raw[tag.offset : tag.offset + 2] = (266).to_bytes(2, "little")
        Path(f"{name}.tif").write_bytes(raw)

    from_lowest_bit("fill_8", EIGHT, rowsperstrip=5)
    from_lowest_bit("fill_lzw", EIGHT, compression="lzw")
    from_lowest_bit("fill_tiles", EIGHT, tile=(16, 16))
    from_lowest_bit("fill_color", GRAY, photometric="rgb")
    from_lowest_bit("fill_16", TWELVE, photometric="minisblack")
    from_lowest_bit("fill_1", EIGHT > 127, photometric="minisblack")
    from_lowest_bit("fill_deflate", EIGHT, compression="deflate")
    for name in ("fill_8", "fill_lzw", "fill_tiles", "fill_color"):
        same(f"{name}.tif", "gray.dcm")
    same("fill_16.tif", "raw_12.tif")
    tifffile.imwrite("bilevel.tif", EIGHT > 127, photometric="minisblack")
    same("fill_1.tif", "bilevel.tif")
    refused("fill_deflate.tif", "FillOrder 2 is not supported")
    planes = np.moveaxis(GRAY, 2, 0).copy()
    tifffile.imwrite("planes_strips.tif", planes, photometric="rgb", planarconfig="separate", rowsperstrip=5)
    same("planes_strips.tif", "gray.dcm")
    tifffile.imwrite("planes_tiles.tif", planes, photometric="rgb", planarconfig="separate", tile=(16, 16))
    refused("planes_tiles.tif", "tiles with separate color planes is not supported")
    for name, options in {
        "tiles": dict(tile=(16, 16)),
        "lzw_predicted": dict(compression="lzw", predictor=True),
        "deflate_predicted": dict(compression="deflate", predictor=True),
        "packbits": dict(compression="packbits"),
        "big_endian": dict(byteorder=">"),
    }.items():
        tifffile.imwrite(f"{name}.tif", EIGHT, **options)
        same(f"{name}.tif", "gray.dcm")
    tifffile.imwrite("jpeg_inside.tif", EIGHT, compression="jpeg")
    same("jpeg_inside.tif", "gray.dcm", 6)
    for name, pixels, options, words in [
        ("bigtiff", EIGHT, dict(bigtiff=True), "BigTIFF is not supported"),
        ("signed", TWELVE.astype(np.int16), dict(photometric="minisblack"), "is not supported"),
        ("float", EIGHT.astype(np.float32), {}, "is not supported"),
        ("pages", np.stack([EIGHT, EIGHT]), {}, "several pages"),
        ("zstd", EIGHT, dict(compression="zstd"), "is not supported"),
    ]:
        tifffile.imwrite(f"{name}.tif", pixels, **options)
        refused(f"{name}.tif", words)


def main():
    color()
    tables()
    nested()
    signs()
    shapes()
    tiffs()
    Path("expected.csv").write_text("\n".join(expected) + "\n")


main()

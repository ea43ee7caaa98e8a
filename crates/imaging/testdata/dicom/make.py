"""Makes the DICOM files beside this script and `expected.csv`, the display values that pydicom gives for them.

Run in this folder: python make.py. Needs pydicom 3, numpy, imagecodecs, pylibjpeg, pylibjpeg-libjpeg, pylibjpeg-openjpeg, and
dcmtk's dcmcjpeg (JPEG of 12 and 16 bits). The pictures are made up; no file comes from a patient.

A row of expected.csv: file name, bits, tolerance, then the display values (0 to 255, bone bright) row by row. For lossy files the
tolerance is wider, as decoders differ in rounding.
"""

import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom import Dataset, Sequence, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import UID

ROWS, COLUMNS = 18, 20
CR, DX, DX_PROC, SC = (
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.7",
)
IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
JPEG, JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
J2K_LOSSLESS, J2K, HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201"
RLE = "1.2.840.10008.1.2.5"

expected = []


def picture(bits):
    """A bright disk on a ramp, with noise; uses the whole range of `bits`."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    disk = np.clip(1.2 - np.hypot(y - 7, x - 12) / 6, 0, 1)
    noise = (y * 7919 + x * 104729 + y * x * 31) % 97 / 97
    value = 0.45 * x / COLUMNS + 0.4 * disk + 0.15 * noise
    value = (value - value.min()) / (value.max() - value.min())
    return np.round(value * (2**bits - 1)).astype(np.int64)


def film(pixels, bits, allocated=16, photometric="MONOCHROME2", signed=False, sop_class=CR, high_bit=None):
    data = Dataset()
    data.SOPClassUID = sop_class
    data.SOPInstanceUID = "2.25.1"
    data.Modality = {CR: "CR", DX: "DX", DX_PROC: "DX", SC: "OT"}[sop_class]
    # Values that no message may show.
    data.PatientName = "SECRET^NAME"
    data.PatientID = "SECRET-ID"
    data.ImagerPixelSpacing = [0.2, 0.1]
    data.ViewPosition = "AP"
    data.ImageLaterality = "B"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = photometric
    data.BitsAllocated, data.BitsStored = allocated, bits
    data.HighBit = bits - 1 if high_bit is None else high_bit
    data.PixelRepresentation = int(signed)
    data.PixelData = pixels.astype(f"<{'iu'[not signed]}{allocated // 8}").tobytes()
    data["PixelData"].VR = "OW" if allocated == 16 else "OB"
    return data


def window(data, center, width, function=None):
    data.WindowCenter, data.WindowWidth = center, width
    if function:
        data.VOILUTFunction = function
    return data


def display(path, data):
    """Display values by pydicom: modality, VOI, polarity. `None` for the VOI leaves the percentile window to `percentile`."""
    stored = dcmread(path, force=True).pixel_array
    modality = apply_modality_lut(stored, data)
    if "VOILUTSequence" not in data:
        modality = modality.astype(np.float64)
    if "VOILUTSequence" in data:
        voi = apply_voi_lut(modality, data)
        fraction = voi / (2 ** data.VOILUTSequence[0].LUTDescriptor[2] - 1)
    elif "WindowCenter" in data:
        voi = apply_voi_lut(modality, data)
        if "ModalityLUTSequence" in data:
            low, high = 0, 2 ** data.ModalityLUTSequence[0].LUTDescriptor[2] - 1
        else:
            low = -(2 ** (data.BitsStored - 1)) if data.PixelRepresentation else 0
            high = low + 2**data.BitsStored - 1
            slope, intercept = float(data.get("RescaleSlope", 1)), float(data.get("RescaleIntercept", 0))
            low, high = low * slope + intercept, high * slope + intercept
        fraction = (voi - low) / (high - low)
    elif data.BitsStored == 8 and not data.PixelRepresentation:
        fraction = stored / 255
    else:
        fraction = percentile(modality, stored, data)
    if data.PhotometricInterpretation == "MONOCHROME1" or data.get("PresentationLUTShape") == "INVERSE":
        fraction = 1 - fraction
    if "PixelPaddingValue" in data:
        fraction = np.where(stored == data.PixelPaddingValue, 0, fraction)
    return fraction * 255


def percentile(modality, stored, data):
    kept = modality[stored != data.PixelPaddingValue] if "PixelPaddingValue" in data else modality
    kept = np.sort(kept.ravel())
    low, high = (kept[int(np.floor(share * (kept.size - 1) + 0.5))] for share in (0.005, 0.995))
    return np.clip((modality - low) / (high - low), 0, 1)


def write(name, data, syntax=EXPLICIT, tolerance=0.01, meta=True, values=None):
    path = Path(f"{name}.dcm")
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.ImplementationClassUID = "2.25.2"
    if meta:
        data.save_as(path, enforce_file_format=True)
    else:
        data.save_as(path, implicit_vr=False, little_endian=True)
        raw = path.read_bytes()
        at = raw.index(b"\x08\x00\x16\x00")
        path.write_bytes(raw[at:])
    row(name, data, tolerance, values)


def row(name, data, tolerance, values=None):
    values = display(f"{name}.dcm", data) if values is None else values
    assert values.shape == (ROWS, COLUMNS) and values.min() >= 0 and values.max() <= 255, name
    cells = " ".join(f"{v:.3f}".rstrip("0").rstrip(".") for v in values.ravel())
    expected.append(f"{name},{data.BitsStored},{tolerance},{cells}")


def compressed(name, data, syntax, stream, tolerance=0.01):
    data.PixelData = encapsulate([stream])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    write(name, data, syntax, tolerance)


def lut_item(count, first, bits, entries, first_is_signed=False):
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first_is_signed else "US", [count, first, bits])
    item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    return item


def main():
    ten, twelve, sixteen = picture(10), picture(12), picture(16)

    # Windows and polarity.
    write("linear", window(film(ten, 10), 511, 1024))
    write("monochrome1", window(film(ten, 10, photometric="MONOCHROME1"), 550, 700))
    write("windows_several", window(film(twelve, 12, sop_class=DX), [1500, 100], [1800, 10]))
    write("linear_exact", window(film(twelve, 12), 2000.5, 2500.25, "LINEAR_EXACT"))
    write("sigmoid", window(film(twelve, 12, sop_class=DX_PROC), 2000, 1500, "SIGMOID"))
    inverse = window(film(twelve, 12, photometric="MONOCHROME1", sop_class=DX), 2048, 4096)
    inverse.PresentationLUTShape = "INVERSE"
    write("inverse_once", inverse)

    # Signed values, rescale, odd bit layouts.
    rescaled = window(film(twelve - 2048, 12, signed=True), -300.5, 2100)
    rescaled.RescaleSlope, rescaled.RescaleIntercept = "1.5", "-200"
    write("signed_rescale", rescaled)
    write("signed_16", window(film(sixteen - 32768, 16, signed=True), 0, 65536))
    overlaid = film((twelve << 4) | (twelve & 15), 12, high_bit=15)
    # The high bits hold the film, the low ones something else; pydicom does not shift, so the values are stated.
    window(overlaid, 2048, 4096)
    write("high_bit_15", overlaid, values=twelve / 4095 * 255)
    dirty = window(film(twelve | ((twelve & 15) << 12), 12), 2048, 4096)
    write("bits_above", dirty, values=twelve / 4095 * 255)
    write("eight_bits_window", window(film(picture(8), 8, allocated=8), 100, 120))
    write("eight_bits_shown", film(picture(8), 8, allocated=8, sop_class=SC))

    # No window: percentiles.
    write("no_window", film(twelve, 12))
    padded = film(np.where(np.add.outer(np.arange(ROWS), np.arange(COLUMNS)) < 8, 0, np.maximum(twelve, 1) // 2 + 1000), 12)
    padded.PixelPaddingValue = 0
    write("no_window_padding", padded)

    # Look-up tables.
    curve = np.round(65535 * (np.arange(4096) / 4095) ** 2)
    with_lut = film(twelve, 12)
    with_lut.VOILUTSequence = Sequence([lut_item(4096, 0, 16, curve)])
    write("voi_lut", window(with_lut, 1, 2))
    short = film(twelve - 2048, 12, signed=True)
    short.VOILUTSequence = Sequence([lut_item(1001, -500, 12, np.arange(1001) * 4, first_is_signed=True)])
    write("voi_lut_signed", short)
    modality = window(film(ten, 10), 30000, 40000)
    modality.ModalityLUTSequence = Sequence([lut_item(1024, 0, 16, 65535 - np.arange(1024) * 64)])
    modality.ModalityLUTSequence[0].ModalityLUTType = "US"
    write("modality_lut", modality)

    # Transfer syntaxes.
    write("implicit", window(film(twelve, 12), 2048, 4096), IMPLICIT)
    big = window(film(twelve, 12), 2048, 4096)
    big.PixelData = twelve.astype(">u2").tobytes()
    write("big_endian", big, BIG)
    write("deflated", window(film(twelve, 12), 2048, 4096), DEFLATED)
    write("bare", window(film(twelve, 12), 2048, 4096), meta=False, values=twelve / 4095 * 255)
    rle = window(film(twelve, 12), 2048, 4096)
    rle.file_meta = FileMetaDataset()
    rle.compress(RLE, twelve.astype(np.uint16), generate_instance_uid=False)
    write("rle", rle, RLE)
    words = twelve.astype(np.uint16)
    compressed("jpeg_ls", window(film(twelve, 12), 2048, 4096), JPEG_LS, imagecodecs.jpegls_encode(words))
    compressed("jpeg_ls_8", film(picture(8), 8, 8), JPEG_LS, imagecodecs.jpegls_encode(picture(8).astype(np.uint8)))
    compressed("jpeg_ls_near", window(film(twelve, 12), 2048, 4096), JPEG_LS_NEAR, imagecodecs.jpegls_encode(words, level=3))
    j2k = dict(codecformat="j2k", reversible=True)
    compressed("j2k_lossless", window(film(twelve, 12), 2048, 4096), J2K_LOSSLESS, imagecodecs.jpeg2k_encode(words, bitspersample=12, **j2k))
    lossy = imagecodecs.jpeg2k_encode(words, level=45, codecformat="j2k", bitspersample=12)
    compressed("j2k_lossy", window(film(twelve, 12), 2048, 4096), J2K, lossy, tolerance=0.2)
    compressed("htj2k", window(film(sixteen, 16), 32768, 65536), HTJ2K_LOSSLESS, imagecodecs.htj2k_encode(sixteen.astype(np.uint16)))
    eight = picture(8).astype(np.uint8)
    compressed("jpeg_8", film(eight, 8, 8), JPEG, imagecodecs.jpeg8_encode(eight, level=90), tolerance=1.01)
    for name, options in [("jpeg_12", ["+ee", "+q", "95"]), ("jpeg_lossless", ["+e1"]), ("jpeg_lossless_6", ["+el", "+sv", "6"])]:
        source = window(film(twelve, 12), 2048, 4096)
        write("source", source)
        expected.pop()
        subprocess.run(["dcmcjpeg", "+un", *options, "source.dcm", f"{name}.dcm"], check=True)
        Path("source.dcm").unlink()
        # dcmtk may put a new window in; it is the file that counts.
        row(name, dcmread(f"{name}.dcm"), 0.07 if name == "jpeg_12" else 0.01)

    # Color.
    rgb = np.stack([picture(8), 255 - picture(8), np.roll(picture(8), 3, 1)], axis=2)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    write("rgb", film(rgb, 8, 8, "RGB", sop_class=SC), values=luma)
    planar = film(rgb, 8, 8, "RGB", sop_class=SC)
    planar.PlanarConfiguration = 1
    planar.PixelData = np.moveaxis(rgb, 2, 0).astype(np.uint8).tobytes()
    write("rgb_planar", planar, values=luma)
    write("ybr_full", film(rgb, 8, 8, "YBR_FULL", sop_class=SC), values=rgb[:, :, 0].astype(float))
    compressed_rgb = film(rgb, 8, 8, "YBR_FULL_422", sop_class=SC)
    gray = np.repeat(eight[:, :, None], 3, axis=2)
    stream = imagecodecs.jpeg8_encode(gray, level=95)
    compressed_rgb.PixelData = encapsulate([stream])
    compressed_rgb["PixelData"].VR = "OB"
    compressed_rgb["PixelData"].is_undefined_length = True
    decoded = imagecodecs.jpeg8_decode(stream) @ np.array([0.299, 0.587, 0.114])
    write("jpeg_color", compressed_rgb, JPEG, tolerance=1.5, values=decoded)

    Path("expected.csv").write_text("\n".join(expected) + "\n")


main()

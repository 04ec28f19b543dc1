"""Every mode and codec -> uint8 pixels; every kind of damage -> ImageError."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cfs_explore.errors import ImageError
from cfs_explore.images import decode as decode_module
from cfs_explore.images.decode import decode, on_white

RNG = np.random.default_rng(1)
RGB = RNG.integers(0, 256, (6, 9, 3), np.uint8)
GREY = RGB[:, :, 0].copy()


def encode(image: Image.Image, codec: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, codec, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("codec", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_codecs_give_the_pixels_back(codec):
    options = {"lossless": True} if codec == "WEBP" else {}
    record = decode(encode(Image.fromarray(RGB), codec, **options), "a", "label")
    np.testing.assert_array_equal(record.pixels, RGB)
    expected = "lossless WEBP" if codec == "WEBP" else codec
    assert (record.format, record.mode, record.width, record.height) == (expected, "RGB", 9, 6)
    assert record.label == "label"
    assert not record.pixels.flags.writeable


def test_equal_pixels_have_equal_ids_whatever_the_codec():
    ids = {decode(encode(Image.fromarray(RGB), codec), codec).image_id for codec in ("PNG", "BMP", "TIFF")}
    assert len(ids) == 1
    assert len(ids.pop()) == 16
    assert decode(encode(Image.fromarray(GREY)), "a").image_id != decode(encode(Image.fromarray(RGB)), "a").image_id


def test_the_id_knows_the_shape():
    wide, tall = Image.fromarray(np.zeros((2, 8), np.uint8)), Image.fromarray(np.zeros((8, 2), np.uint8))
    assert decode(encode(wide), "a").image_id != decode(encode(tall), "a").image_id


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :12] = 255  # the top left quarter is white
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposes that a viewer would revert
    stored = Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    record = decode(encode(stored, "PNG", exif=exif), "photo")
    np.testing.assert_array_equal(record.pixels, upright)
    assert (record.width, record.height) == (24, 16)


def test_grey_modes_keep_one_channel():
    np.testing.assert_array_equal(decode(encode(Image.fromarray(GREY)), "a").pixels[:, :, 0], GREY)
    bilevel = Image.fromarray(GREY).convert("1")
    assert set(np.unique(decode(encode(bilevel), "a").pixels)) == {0, 255}
    assert decode(encode(bilevel), "a").mode == "1"


def test_transparency_is_laid_on_white():
    rgba = np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)])
    rgba[0, 0] = (10, 20, 30, 0)
    rgba[0, 1] = (0, 0, 0, 51)  # a fifth of black on white
    pixels = decode(encode(Image.fromarray(rgba)), "a").pixels
    np.testing.assert_array_equal(pixels[1:], RGB[1:])
    assert pixels[0, 0].tolist() == [255] * 3
    assert pixels[0, 1].tolist() == [204] * 3
    np.testing.assert_array_equal(on_white(rgba), pixels)


def test_grey_with_alpha_stays_grey():
    la = Image.fromarray(GREY).convert("LA")
    la.putpixel((0, 0), (0, 0))
    pixels = decode(encode(la), "a").pixels
    assert pixels.shape == (6, 9, 1)
    assert pixels[0, 0] == 255


def test_transparent_colour_key_of_a_grey_png():
    pixels = decode(encode(Image.fromarray(np.array([[7, 9]], np.uint8)), transparency=7), "a").pixels
    assert pixels[0, :, 0].tolist() == [255, 9]


def test_palette_with_and_without_transparency():
    palette = Image.fromarray(np.array([[0, 1]], np.uint8))
    palette = palette.convert("L").convert("P")
    palette.putpalette([200, 0, 0, 0, 100, 0])
    assert decode(encode(palette), "a").pixels.tolist() == [[[200, 0, 0], [0, 100, 0]]]
    clear = decode(encode(palette, transparency=0), "a")
    assert clear.pixels.tolist() == [[[255, 255, 255], [0, 100, 0]]]
    assert clear.mode == "P"


def test_cmyk_jpeg_becomes_rgb():
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red ink
    record = decode(encode(cmyk, "JPEG", quality=95), "a")
    assert record.mode == "CMYK"
    assert record.pixels.shape == (16, 16, 3)
    red, green, blue = record.pixels.reshape(-1, 3).mean(0)
    assert red > 240
    assert max(green, blue) < 15


def test_sixteen_bit_grey_is_scaled_to_eight():
    values = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    for codec in ("PNG", "TIFF"):
        record = decode(encode(Image.fromarray(values), codec), "a")
        assert record.pixels[0, :, 0].tolist() == [0, 1, 128, 255]
        assert record.mode.startswith("I;16")


def test_integer_tiff_out_of_range_is_an_error():
    deep = Image.fromarray(np.array([[0, 70000]], np.int32))
    with pytest.raises(ImageError, match="70000"):
        decode(encode(deep, "TIFF"), "deep.tif")


def test_float_tiff():
    unit = Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32))
    assert decode(encode(unit, "TIFF"), "a").pixels[0, :, 0].tolist() == [0, 128, 255]
    for bad in (300.0, -0.5, np.nan):
        with pytest.raises(ImageError, match="allowed are 0 to 1"):
            decode(encode(Image.fromarray(np.array([[0.0, bad]], np.float32)), "TIFF"), "a")


def test_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    for codec in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if codec == "WEBP" else {}
        data = encode(frames[0], codec, save_all=True, append_images=frames[1:], **options)
        assert decode(data, "a").pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("codec", "options", "expected"),
    [
        ("WEBP", {"quality": 80}, "WEBP"),
        ("WEBP", {"lossless": True}, "lossless WEBP"),
        ("WEBP", {"lossless": True, "icc_profile": b"odd"}, "lossless WEBP"),
        ("TIFF", {"compression": "jpeg"}, "TIFF (JPEG)"),
        ("TIFF", {"compression": "tiff_lzw"}, "TIFF"),
    ],
)
def test_the_codec_says_whether_it_is_lossy(codec, options, expected):
    assert decode(encode(Image.fromarray(RGB), codec, **options), "a").format == expected


@pytest.mark.parametrize(("lossless", "expected"), [(True, "lossless WEBP"), (False, "WEBP")])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_with_alpha_or_frames_is_recognised_by_its_first_picture(lossless, expected, mode):
    frames = [Image.fromarray(RNG.integers(0, 256, (9, 9, len(mode)), np.uint8), mode) for _ in range(2)]
    for more in ([], frames[1:]):
        options = {"save_all": True, "append_images": more} if more else {}
        assert decode(encode(frames[0], "WEBP", lossless=lossless, **options), "a").format == expected


@pytest.mark.parametrize("codec", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_files_are_errors(codec, kept):
    data = encode(Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8)), codec)
    with pytest.raises(ImageError, match=r"^cut\.img: "):
        decode(data[: int(len(data) * kept)], "cut.img")


def test_a_flipped_bit_in_a_png_is_an_error():
    data = bytearray(encode(Image.fromarray(RGB)))
    data[data.index(b"IDAT") + 20] ^= 1
    with pytest.raises(ImageError, match="damaged"):
        decode(bytes(data), "a.png")


@pytest.mark.parametrize("data", [b"", b"MZ\x90\x00" + bytes(200), b"<svg></svg>", b"%PDF-1.7", bytes(500)])
def test_what_is_no_image_is_an_error(data):
    with pytest.raises(ImageError, match=r"setup\.jpg"):
        decode(data, "setup.jpg")


def test_codecs_outside_the_list_are_not_tried():
    for codec in ("ICO", "TGA", "EPS", "PDF"):
        with pytest.raises(ImageError, match="not an image in one of PNG"):
            decode(encode(Image.fromarray(RGB), codec), "a")


def test_a_phones_picture_under_a_jpegs_name_is_reported():
    """A HEIC file that was only renamed."""
    with pytest.raises(ImageError, match=r"IMG_0001\.jpg: an image in HEIC or AVIF\. Save it as JPEG or PNG\."):
        decode(b"\0\0\0\x18ftypheic" + bytes(200), "IMG_0001.jpg")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 60_000])
def test_a_header_that_claims_too_many_pixels_is_refused_before_decoding(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match="100 megapixels"):
        decode(b"\x89PNG\r\n\x1a\n" + chunks, "bomb.png")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_encoded_size_limit(monkeypatch):
    data = encode(Image.fromarray(RGB))
    monkeypatch.setattr(decode_module, "MAX_ENCODED_BYTES", len(data) - 1)
    with pytest.raises(ImageError, match="allowed are"):
        decode(data, "large.png")


def test_the_limit_of_pixels_holds_for_every_page(monkeypatch):
    monkeypatch.setattr(decode_module, "MAX_PIXELS", 100)
    buffer = io.BytesIO()
    small, large = Image.new("L", (8, 8)), Image.new("L", (12, 12))
    small.save(buffer, "TIFF", save_all=True, append_images=[large])
    assert decode(buffer.getvalue(), "scan.tif").width == 8
    with pytest.raises(ImageError, match="12 x 12 pixels are more than the allowed"):
        decode(buffer.getvalue(), "scan.tif", page=1)

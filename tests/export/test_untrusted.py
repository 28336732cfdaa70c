"""Whatever is sent, through the saved signature alone: an answer for each image, and none harms another."""

import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.export.conftest import PREPROCESSING, ask, encoded, picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_takes_every_kind_of_file(serve, kind, mode):
    assert ask(serve, [encoded(picture(mode=mode).convert("RGB" if (kind, mode) == ("JPEG", "P") else mode), kind)])[
        "valid"
    ]


def png_claiming(width, height):
    """A PNG of a few bytes whose header states any size."""
    content = bytearray(encoded(picture()))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("size", [(20_000, 20_000), (8193, 8192), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (0, 5)])
def test_refuses_what_would_unpack_beyond_measure(serve, size):
    answer = ask(serve, [png_claiming(*size), encoded(picture())])
    assert answer["valid"].tolist() == [False, True]


def test_refuses_an_image_bomb(serve):
    """Whole and valid: 400 million pixels in some 50 kilobytes, 1.2 GB once decoded."""
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    assert ask(serve, [bomb, encoded(picture())])["valid"].tolist() == [False, True]


def test_refuses_a_file_beyond_measure(serve):
    assert not ask(serve, [encoded(picture()) + bytes(2**25)])["valid"].any()


@pytest.mark.parametrize("kind", ["TIFF", "ICO"])
def test_other_kinds_are_not_valid(serve, kind):
    assert ask(serve, [encoded(picture(), kind), encoded(picture())])["valid"].tolist() == [False, True]


def animation(kind, *frames):
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def odd_files():
    """(what it is, file, whether it can be answered)."""
    first, second = picture(1, 16, 16), picture(2, 16, 16)
    sixteen = Image.fromarray(np.random.default_rng(0).integers(0, 2**16, (9, 9), dtype=np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: turned by 90 degrees
    png = encoded(picture(3))
    return [
        ("nothing", b"", False),
        ("text", b"not an image", False),
        ("half a PNG", png[: len(png) // 2], False),
        ("half a JPEG", encoded(picture(3), "JPEG")[:200], False),
        ("a PNG's first bytes", b"\x89PNG\r\n\x1a\n", False),
        ("a WebP's first bytes", b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(20), False),
        ("a GIF without an image", b"GIF89a" + bytes(20), False),
        ("TIFF", encoded(picture(3), "TIFF"), False),
        ("animated WebP", animation("WEBP", first, second), False),
        ("animated GIF", animation("GIF", first.quantize(256), second.quantize(256)), True),
        ("still WebP", encoded(first, "WEBP", lossless=True), True),
        ("WebP with EXIF", encoded(first, "WEBP", exif=turned), True),
        ("grey", encoded(picture(3, mode="L")), True),
        ("palette", encoded(picture(3, mode="P")), True),
        ("black and white", encoded(picture(3, mode="1")), True),
        ("16 bits", encoded(sixteen), True),
        ("alpha", encoded(picture(3, mode="RGBA")), True),
        ("grey and alpha", encoded(picture(3, mode="LA")), True),
        ("CMYK", encoded(picture(3, mode="CMYK"), "JPEG"), True),
        ("turned by EXIF", encoded(picture(3), "JPEG", exif=turned), True),
        ("one pixel", encoded(picture(3, 1, 1)), True),
        ("1 x 5000", encoded(picture(3, 1, 5000)), True),
        ("5000 x 1", encoded(picture(3, 5000, 1), "JPEG"), True),
    ]


def test_a_batch_of_everything_gives_each_what_it_would_get_alone(serve):
    names, contents, answered = zip(*odd_files(), strict=True)
    answer = ask(serve, list(contents))
    assert dict(zip(names, answer["valid"].tolist(), strict=True)) == dict(zip(names, answered, strict=True))
    assert not answer["scores"][~answer["valid"]].any()
    for index in np.flatnonzero(answer["valid"]):
        alone = ask(serve, [contents[index]])
        np.testing.assert_allclose(answer["scores"][index], alone["scores"][0], atol=1e-6, err_msg=names[index])
        assert answer["class_ids"][index].tolist() == alone["class_ids"][0].tolist()


def test_odd_files_are_what_pillow_sees(serve, model):
    """Lossless ones, against Pillow's pixels: the first frame, the palette's colours, alpha dropped."""
    first, second = picture(1, 16, 16).quantize(256), picture(2, 16, 16)
    grey, palette = picture(3, mode="L"), picture(3, mode="P")
    files = [
        (animation("GIF", first, second.quantize(256)), first),
        (encoded(second, "WEBP", lossless=True), second),
        (encoded(grey), grey),
        (encoded(palette), palette),
        (encoded(picture(3, mode="RGBA")), picture(3)),
        (encoded(picture(3, 1, 1)), picture(3, 1, 1)),
        (encoded(picture(3, 1, 16 * 20)), picture(3, 1, 16 * 20)),
    ]
    expected = model(np.stack([PREPROCESSING(np.asarray(image.convert("RGB"))) for _, image in files])).numpy()
    np.testing.assert_allclose(ask(serve, [content for content, _ in files])["scores"], expected, atol=1e-5)


def test_only_the_middle_of_a_long_image_is_looked_at(serve):
    """1 x 5000 pixels answer as the 20 in their middle do: 20 scaled by 20 are more than the crop of 16 shows."""
    pixels = np.asarray(picture(5, 1, 5000))
    middle = Image.fromarray(pixels[:, 2490:2510])
    answer = ask(serve, [encoded(Image.fromarray(pixels)), encoded(middle)])
    np.testing.assert_allclose(answer["scores"][0], answer["scores"][1], atol=1e-6)


def webp_claiming(chunk, **fields):
    """The header of a WebP that states any size; of what follows nothing is there."""
    if chunk == b"VP8 ":
        body = bytes(6) + struct.pack("<HH", fields["width"], fields["height"])
    elif chunk == b"VP8L":
        body = b"\x2f" + struct.pack("<I", (fields["width"] - 1) | (fields["height"] - 1) << 14)
    else:
        sizes = [struct.pack("<I", fields[name] - 1)[:3] for name in ("width", "height")]
        body = bytes([fields.get("flags", 0), 0, 0, 0]) + b"".join(sizes)
    chunks = chunk + struct.pack("<I", len(body)) + body + bytes(16)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def test_a_webp_s_size_is_read_from_every_form_of_header():
    from keras_resnet.data.headers import claimed_shape

    def claimed_pixels(content):
        return np.prod(claimed_shape(content).numpy().astype("int64"))

    for settings in ({}, {"lossless": True}, {"exif": Image.Exif().tobytes() or b"Exif\x00\x00"}):
        assert int(claimed_pixels(encoded(picture(0, 20, 24), "WEBP", **settings))) == 480
    assert int(claimed_pixels(webp_claiming(b"VP8 ", width=16383, height=16000))) == 16383 * 16000
    assert int(claimed_pixels(webp_claiming(b"VP8L", width=16384, height=16001))) == 16384 * 16001
    assert int(claimed_pixels(webp_claiming(b"VP8X", width=2**24, height=2**24))) == 2**48
    assert int(claimed_pixels(webp_claiming(b"VP8X", width=9, height=9, flags=2))) == 0


def test_a_gif_s_frame_may_not_be_larger_than_allowed(serve):
    """A small screen with a frame of 4.3 gigapixels: unpacking would begin by asking for that much memory."""
    content = bytearray(encoded(picture().quantize(256), "GIF"))
    at = content.index(b"\x2c\x00\x00\x00\x00\x18\x00\x14\x00")
    content[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    assert ask(serve, [bytes(content), encoded(picture())])["valid"].tolist() == [False, True]


def mutated(whole, random):
    """A file with some bytes changed, then as it is, cut, or doubled."""
    content = bytearray(whole)
    for _ in range(random.integers(1, 6)):
        content[random.integers(min(len(content), random.choice([64, 10_000])))] = random.integers(256)
    cut = random.integers(len(content))
    return bytes([content, content, content[:cut], content + content[cut:]][random.integers(4)])


def check_mutated(serve, count):
    random = np.random.default_rng(0)
    still = [encoded(picture(seed), kind) for seed, kind in enumerate(["PNG", "JPEG", "GIF", "BMP", "WEBP"])]
    whole = [
        *still,
        encoded(picture(), "WEBP", lossless=True),
        encoded(picture(mode="RGBA"), "WEBP", exif=b"Exif\x00\x00"),
        animation("WEBP", picture(1), picture(2)),
        animation("GIF", picture(1).quantize(256), picture(2).quantize(256)),
        encoded(picture(mode="P"), "PNG"),
        encoded(picture(mode="CMYK"), "JPEG", progressive=True),
    ]
    valid = 0
    for start in range(0, count, 50):
        batch = [mutated(whole[index % len(whole)], random) for index in range(start, start + 50)]
        answer = ask(serve, batch)
        assert np.isfinite(answer["scores"]).all()
        assert not answer["scores"][~answer["valid"]].any()
        np.testing.assert_allclose(answer["scores"][answer["valid"]].sum(axis=-1), 1, atol=1e-5)
        valid += answer["valid"].sum()
    assert 0.1 * count < valid < 0.9 * count  # both sides are exercised


def test_mutated_files_never_crash_it(serve):
    check_mutated(serve, 300)


@pytest.mark.slow
def test_two_thousand_mutated_files_never_crash_it(serve):
    check_mutated(serve, 2000)


MEASURE = """
import json, resource, sys
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
serve(image_bytes=tf.constant([open(sys.argv[2], "rb").read()] * 4))
before, grown = peak(), {}
for path in sys.argv[2:]:
    valid = bool(serve(image_bytes=tf.constant([open(path, "rb").read()]))["valid"][0])
    grown[path.rpartition("/")[2]] = [valid, peak() - before]
print(json.dumps(grown))
"""


@pytest.mark.slow
def test_memory_is_bounded(folder, tmp_path):
    """In a process of its own, which TensorFlow alone serves: what is refused costs nothing, the largest image that is
    not costs 0.6 GB (seen; 67 million pixels are 0.2 GB as bytes)."""
    frame = Image.new("P", (8000, 8000))
    files = {
        "small.png": encoded(picture()),
        "bomb.png": encoded(Image.new("1", (20_000, 20_000))),
        "claims.png": png_claiming(2**31 - 1, 2**31 - 1),
        "bomb.webp": webp_claiming(b"VP8L", width=16384, height=16384),
        "long.png": encoded(picture(3, 1, 5000)),
        "frames.gif": animation("GIF", picture().quantize(256).resize((8000, 8000)), *[frame] * 8),
        "largest.png": encoded(Image.new("L", (8192, 8192))),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", MEASURE, str(folder), *[str(tmp_path / name) for name in files]]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    grown = json.loads(run.stdout.splitlines()[-1])
    print({name: f"{megabytes} MB" for name, (_, megabytes) in grown.items()})
    assert [name for name, (valid, _) in grown.items() if not valid] == ["bomb.png", "claims.png", "bomb.webp"]
    assert grown["long.png"][1] < 100
    assert grown["frames.gif"][1] < 1000
    assert grown["largest.png"][1] < 1000

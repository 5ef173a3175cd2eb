"""The known data sets: where each comes from, how large it is, its licence, its checksum."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from elman.data.built_in.built_in import MADE
from elman.data.cache import cache_folder, replacing
from elman.errors import UserError, unknown_name

HOST = "https://raw.githubusercontent.com"
JSB = "czhuang/JSB-Chorales-dataset/9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d"
ARCHIVES = "https://codeload.github.com"  # repositories at a commit, as zip


@dataclass(frozen=True)
class Named:
    """One known data set, one file. `path` is its address below the host; None means built in.

    Of a set of many files the archive of a repository is downloaded, and its WAV files alone, or
    the MIDI files of one folder, are kept, in a zip that is the same whoever packed the archive: so
    it has a checksum.

    Files that belong together have names that differ after a dot: `multi30k-val.de` and
    `multi30k-val.en`, in the order of the table, are `multi30k-val`.
    """

    name: str
    summary: str
    size: int  # bytes, uncompressed
    licence: str
    sha256: str | None  # of the file as it is kept; None where it depends on the Python version
    path: str | None
    sounds: bool = False  # a zip of WAV files, not a text
    tunes: str = ""  # a zip of the MIDI files in this folder of the archive

    @property
    def zipped(self) -> bool:
        """Whether what is kept is a zip."""
        return self.sounds or bool(self.tunes)

    @property
    def url(self) -> str | None:
        """Where it is downloaded from; `ELMAN_DATA_URL` replaces the host, for mirrors."""
        if self.path is None:
            return None
        host = ARCHIVES if self.zipped else HOST
        return f"{os.environ.get('ELMAN_DATA_URL', host).rstrip('/')}/{self.path}"


def _multi30k(name: str, file: str, what: str, size: int, sha256: str) -> Named:
    return Named(
        name=f"multi30k-{name}",
        summary=f"captions of photographs, {what}",
        size=size,
        licence="none stated (of the photographs: research and education only)",
        sha256=sha256,
        path="multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
        f"/{file}.{name.rpartition('.')[2]}.gz",
    )


NAMED = {
    entry.name: entry
    for entry in (
        Named(
            name="topics",
            summary="the help texts of Python itself, in English",
            size=466_195,
            licence="PSF-2.0",
            sha256=None,
            path=None,
        ),
        Named(
            name="unicode",
            summary="the names of Unicode's characters, and what kind each is: a table to classify",
            size=1_110_000,
            licence="Unicode-3.0",
            sha256=None,
            path=None,
        ),
        Named(
            name="python-tags",
            summary="Python's own library, and what each name in it is: tokens to tag",
            size=2_330_000,
            licence="PSF-2.0",
            sha256=None,
            path=None,
        ),
        Named(
            name="pendulum",
            summary="a driven pendulum, simulated: torque in, angle and velocity out, to regress",
            size=1_640_385,
            licence="Apache-2.0 (made by this package)",
            sha256=None,
            path=None,
        ),
        Named(
            name="sunspots",
            summary="the number of sunspots of each year from 1700 to 2008: a series to forecast",
            size=2_937,
            licence="public domain",
            sha256="74b8e3acb9886b68abe9c56f6081257d522e2cb2470f17dbf597b396f4ea1706",
            path=None,
        ),
        Named(
            name="numbers",
            summary="numbers and dates in English and Chinese words, in digits, and back: pairs",
            size=604_014,
            licence="Apache-2.0 (made by this package)",
            sha256="54a1d152648302b1598f71d68703a48ba92ba7252cc063519442d20e7548e1f2",
            path=None,
        ),
        Named(
            name="morse",
            summary="Morse code, sound made by code, 4 hours with noise: sound to transcribe",
            size=229_605_206,
            licence="Apache-2.0 (made by this package)",
            sha256="75cc97789a92c4452ce3136142475c91cd8a31c0180b7a9cf940fb114a088f6b",
            path=None,
            sounds=True,
        ),
        Named(
            name="beeps",
            summary="eight kinds of beeps, sound made by code, 480 clips: sound to classify",
            size=8_831_274,
            licence="Apache-2.0 (made by this package)",
            sha256="45d18bfdb5deba112fb27368c266f944e079e84ae6f64ff78521aa72def3715d",
            path=None,
            sounds=True,
        ),
        Named(
            name="canons",
            summary="400 canons of two voices, made by rules, in ABC: music",
            size=164_299,
            licence="Apache-2.0 (made by this package)",
            sha256="82de2a25596f3d76bf38c40915b2359d0cd61cc1ca68462cdc0b662169cc54e3",
            path=None,
        ),
        Named(
            name="fsdd",
            summary="Free Spoken Digit Dataset: 3,000 digits by six speakers: sound to classify",
            size=21_512_670,
            licence="CC BY-SA 4.0",
            sha256="6b42b4876f9fcc04a72f34084aee9db02640ed463c386c74657e5bb6b9812dfb",
            path="Jakobovski/free-spoken-digit-dataset/zip/26eb9aaf76e81b692f806f9140c2d2777410d7a1",
            sounds=True,
        ),
        Named(
            name="yesno",
            summary="60 times eight words, yes or no, told by the file's name, one speaker: sound",
            size=5_893_542,
            licence="none stated (of the repository: Apache-2.0)",
            sha256="c4af018f71b2a1711ac53db88d5bca889a611e3c5020041288504125d146cc2d",
            path="keighrim/kaldi-yesno-tutorial/zip/f4e2910de0d3b58f5f3b5cd10a8e57712c60b34a",
            sounds=True,
        ),
        Named(
            name="jsb",
            summary="382 chorales of Bach, the notes of every quarter, in three parts: music",
            size=407_200,
            licence="none stated (the music is in the public domain)",
            sha256="2db9329f1881a1d3f49703ec556bf1d6f84b4f6c1d702c156536e93cf31e1c91",
            path=f"{JSB}/jsb-chorales-quarter.json",
        ),
        Named(
            name="jsb-16th",
            summary="the same chorales, the four voices in every 16th",
            size=1_666_444,
            licence="none stated (the music is in the public domain)",
            sha256="79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7",
            path=f"{JSB}/Jsb16thSeparated.json",
        ),
        Named(
            name="nottingham",
            summary="1,034 British and American folk tunes with chords, as MIDI: music",
            size=3_299_020,
            licence="GPL-3.0 (the tunes are traditional)",
            sha256="2252b50b45042fd0c9764fcd4793ae0f534919fbd18bc4a8b46fff49435e24da",
            path="jukedeck/nottingham-dataset/zip/0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f",
            tunes="MIDI",
        ),
        Named(
            name="tinyshakespeare",
            summary="40,000 lines from the plays of Shakespeare",
            size=1_115_394,
            licence="MIT (repository); text in the public domain",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            path="karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
            "/data/tinyshakespeare/input.txt",
        ),
        Named(
            name="hamlet",
            summary="Hamlet, with cast list and stage directions",
            size=182_567,
            licence="Apache-2.0 (repository); text in the public domain",
            sha256="1846810b98f3dce4174a488cd19f3e7ceabff2a4b00487089fbcb2891003d847",
            path="martin-gorner/tensorflow-rnn-shakespeare/25946cd6486e8a8f96d84edb200a8b8b6e961c27"
            "/shakespeare/hamlet.txt",
        ),
        Named(
            name="cmn",
            summary="29,155 short sentences in English and Chinese, by the users of Tatoeba: pairs",
            size=4_151_383,
            licence="CC BY 2.0 France (in each line, with the authors)",
            sha256="aa264a2447b26ab7c9d413f8321f9e2a779fd134b5118306b6e26a3499b3926e",
            path="13luoyu/Transformer-machine-translation/aa43963320ccfacebd1d3542deae559bbca58d03"
            "/cmn.txt",
        ),
        _multi30k(
            "train.de",
            "train",
            "29,000 lines of German, aligned with .en",
            2_110_398,
            "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
        ),
        _multi30k(
            "train.en",
            "train",
            "29,000 lines of English",
            1_801_238,
            "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
        ),
        _multi30k(
            "val.de",
            "val",
            "1,014 lines of German, to validate on",
            75_981,
            "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
        ),
        _multi30k(
            "val.en",
            "val",
            "1,014 lines of English",
            63_297,
            "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
        ),
        _multi30k(
            "test2016.de",
            "test_2016_flickr",
            "1,000 lines of German, to test on",
            70_649,
            "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
        ),
        _multi30k(
            "test2016.en",
            "test_2016_flickr",
            "1,000 lines of English",
            62_076,
            "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
        ),
    )
}


def members(name: str) -> tuple[str, ...]:
    """The names of the files that a name stands for: itself, or all that go on with a dot."""
    if name in NAMED:
        return (name,)
    return tuple(known for known in NAMED if known.startswith(f"{name}.")) or (name,)


def data_folder() -> Path:
    """Where downloaded data sets are kept: `ELMAN_DATA`, else `data` in the cache folder."""
    own = os.environ.get("ELMAN_DATA")
    return Path(own) if own else cache_folder() / "data"


def fetch(name: str) -> Path:
    """The file of a known data set; downloaded at its first use, checked at every use.

    Raises `UserError` for an unknown name, without network, when the checksum differs, and where
    the folder cannot be written.
    """
    if name not in NAMED:
        raise unknown_name("data set", name, NAMED)
    entry = NAMED[name]
    if entry.url is None:
        return _built_in(entry)
    path = data_folder() / f"{name}{_ending(entry)}"
    if _sha256(path) == entry.sha256:
        return path
    try:
        with replacing(path) as part:
            if not (entry.zipped and _packed_anew(entry, path, part)):
                _download(entry, entry.url, part, path)
    except OSError as error:
        raise _unwritable(error) from None
    return path


def _ending(entry: Named) -> str:
    if entry.zipped:
        return ".zip"
    assert entry.path is not None  # built-in texts have names of their own
    kept = {".gz": ".txt.gz", ".json": ".json"}
    return kept.get(Path(entry.path).suffix, ".txt")


def _built_in(entry: Named) -> Path:
    # Texts differ between versions of Python; each version keeps its own file.
    version = "" if entry.sounds else f"-{platform.python_version()}"
    path = data_folder() / f"{entry.name}{version}{'.zip' if entry.sounds else '.txt'}"
    if entry.sounds and _sha256(path) == entry.sha256:  # which took seconds to make
        return path
    text = MADE[entry.name]()
    if _sha256(path) != hashlib.sha256(text).hexdigest():
        try:
            with replacing(path) as part:
                part.write_bytes(text)
        except OSError as error:
            raise _unwritable(error) from None
    return path


def _download(entry: Named, url: str, part: Path, path: Path) -> None:
    import pooch

    try:
        pooch.HTTPDownloader(progressbar=False)(url, str(part), None)
    except OSError as error:  # every error of requests is an OSError
        raise UserError(
            f"cannot download {entry.name} from {url} ({_reason(error)}); "
            f"no network? put the file at {path}, or train on a file of your own"
        ) from None
    if entry.zipped and not _packed_anew(entry, part, part):
        what = "recordings" if entry.sounds else "tunes"
        raise UserError(
            f"the archive from {url} does not hold the {what} of {entry.name}, or other ones "
            f"(their checksum is not the known one); put the right archive at {path}"
        )
    if (found := _sha256(part)) != entry.sha256:
        raise UserError(
            f"{entry.name} from {url} has the sha256 {found}, not {entry.sha256}; "
            f"put the right file at {path}"
        )


def _packed_anew(entry: Named, archive: Path, path: Path) -> bool:
    """Whether `archive` holds the files of this set, which then are written to `path`."""
    from elman.data.built_in.recordings import recordings, tunes

    if entry.tunes:
        packed = tunes(archive, entry.size, entry.tunes)
    else:
        packed = recordings(archive, entry.size)
    if packed is None or hashlib.sha256(packed).hexdigest() != entry.sha256:
        return False
    path.write_bytes(packed)
    return True


def _reason(error: OSError) -> str:
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"HTTP {response.status_code}"


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _unwritable(error: OSError) -> UserError:
    return UserError(
        f"cannot write to {data_folder()} ({error.strerror}); set ELMAN_DATA to another folder"
    )

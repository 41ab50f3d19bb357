"""Fixed lists that the rules compare with: nothing here is computed."""

from __future__ import annotations

from collections.abc import Mapping


def _set(text: str, between: str | None = None) -> frozenset[str]:
    return frozenset(text.split(between))


TAGS = _set(
    "parameters setup predict demo exercise solution check explain myth optional hint-1 hint-2 hint-3 raises-exception "
    "slow hidden-in-student"
)
PARAMETERS: Mapping[str, object] = {
    "seed": 0, "fast": False, "bets": "ask", "data_dir": "data", "out_dir": ".", "lang": "en", "n_repeats": 7,
}  # fmt: skip
# An objective begins with something that one can be seen doing; "know" and "understand" are left out on purpose.
OBJECTIVE_VERBS = _set(
    "add answer assess attack avoid benchmark bet block bound box break build calibrate call catch change check choose "
    "combine compare compile compute configure contrast convert count create cut debug decide decode define deliver "
    "deploy describe design detect diagnose discard distinguish draw estimate evaluate explain export extract find fix "
    "freeze gate give guard handle hand identify implement inspect interpret judge keep limit list load locate log "
    "make measure merge monitor move name observe open order pack package pin plan predict prepare prove prune put "
    "quantize read rebuild recognise recognize record reduce refuse reject release remove replace report reproduce "
    "roll run save say scan secure separate serve set share show shrink sign simulate sort split start state stop "
    "store sum swap tell test time trace train translate trim tune use validate verify weigh write"
)
NETWORK_MODULES = _set("aiohttp ftplib http httpx requests socket urllib urllib3 websockets")
DOWNLOADS = _set("fetch_openml load_dataset hf_hub_download snapshot_download urlretrieve urlopen")
WRITES = _set(
    "write_text write_bytes write writestr dump note to_csv to_json to_parquet quantize_dynamic quantize_static "
    "copy copyfile copytree serialize_file run check_call check_output"
)
WRITE_STEMS = ("save", "export", "dump_", "write_")
FAINT_LINKS = _set(
    "here|this|this page|this link|click here|link|read more|more|page|ici|ce lien|cette page|lien|cliquez ici|"
    "en savoir plus|plus|là",
    "|",
)
LAB_INSIDES = ("private/", "checks.py", "lab.toml", "expect.toml", "solutions/", "tests/specimens", "inputs.py")

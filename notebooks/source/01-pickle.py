# %% [markdown] lang="en"
# # Do not unpickle me
#
# Le Guichet, episode 1. The data scientist who taught the town hall's web form to read digits has left for Lyon. On her
# desk: one notebook, `model.pkl` and `pipeline.pkl`. "They work on her machine," says the mayor's office. "Before anybody
# opens them," says Nadia, who runs the servers, "tell me what is in them. Without opening them."
#
# **Objectives**
#
# - explain why loading a pickle means running a program
# - inspect a pickle by its opcodes
# - choose a format for tensors, for a network and for a pipeline
# - rebuild a model from what was delivered
#
# **Prerequisites**: Python. You know what `JSON.parse` does, and what `eval` would do.
#
# **Time**: 90 minutes
#
# **Hand in**: `src/`, `artifacts/`, `results.json`, `answers.json`
#
# **Last run**: 2026-11-22
# %% [markdown] lang="fr"
# # Ne me désérialise pas
#
# Le Guichet, épisode 1. La data scientist qui a appris au formulaire de la mairie à lire des chiffres est partie à Lyon.
# Sur son bureau : un notebook, `model.pkl` et `pipeline.pkl`. « Ça marche sur sa machine », dit le cabinet du maire.
# « Avant que quelqu'un les ouvre, dit Nadia, qui s'occupe des serveurs, dites-moi ce qu'il y a dedans. Sans les ouvrir. »
#
# **Objectifs**
#
# - expliquer pourquoi charger un pickle, c'est exécuter un programme
# - inspecter un pickle par ses opcodes
# - choisir un format pour des tenseurs, pour un réseau et pour un pipeline
# - reconstruire un modèle à partir de ce qui a été livré
#
# **Prérequis** : Python. Vous savez ce que fait `JSON.parse`, et ce que ferait `eval`.
#
# **Durée** : 90 minutes
#
# **À rendre** : `src/`, `artifacts/`, `results.json`, `answers.json`
#
# **Dernière exécution** : 2026-11-22
# %% tags=["parameters"]
seed = 0
fast = False
bets = "ask"
data_dir = "data"
out_dir = "."
lang = "en"
n_repeats = 7
# %% [markdown] lang="en" minutes=5
# ## It works in my notebook
#
# A notebook remembers what its cells did, in the order in which somebody ran them, cells deleted since included. The file
# shows another order: from top to bottom. It is a page whose state lives in the browser tab: it works until you reload.
#
# The last lines of the next cell play a small notebook twice: in the order in which its author ran it, and as a fresh
# kernel would. "It works" was true, and it is not what you deliver.
#
# Set-up first: run every cell from the top, and place each bet before you measure.
# %% [markdown] lang="fr"
# ## Ça marche dans mon notebook
#
# Un notebook se souvient de ce qu'ont fait ses cellules, dans l'ordre où quelqu'un les a lancées, cellules effacées
# depuis comprises. Le fichier montre un autre ordre : de haut en bas. C'est une page dont l'état vit dans l'onglet du
# navigateur : elle marche jusqu'au rechargement.
#
# Les dernières lignes de la cellule suivante jouent deux fois un petit notebook : dans l'ordre où son autrice l'a lancé, et
# comme le ferait un noyau neuf. « Ça marche » était vrai, et ce n'est pas ce que l'on livre.
#
# La mise en place d'abord : lancez chaque cellule depuis le haut, et faites chaque pari avant de mesurer.
# %% tags=["setup", "demo"]
import hashlib, inspect, io, json, pickle, pickletools, platform, shutil, subprocess, sys, tempfile, warnings  # noqa
from pathlib import Path

import numpy as np

import workbench as wb

wb.begin(lab="01-pickle", seed=seed, fast=fast, bets=bets, out_dir=out_dir, lang=lang, n_repeats=n_repeats)
data, out, scratch = Path(data_dir), Path(out_dir), Path(tempfile.mkdtemp())
sys.path.insert(0, str((out / "src").resolve()))  # the starter's modules
(out / "artifacts").mkdir(exist_ok=True)
her_cells = {1: "ink = [3, 9, 6]", 2: "scaled = [i / top for i in ink]", 3: "top = max(ink)", 4: "print(sum(scaled))"}


def failures(order):
    state, failed = {"print": lambda value: None}, []
    for number in order:
        try:
            exec(her_cells[number], state)  # trusted text, four lines above
        except NameError:
            failed.append(number)
    return failed


print("cells that fail, in her order:", failures([1, 3, 2, 4]), "- from top to bottom:", failures([1, 2, 3, 4]))
# %% [markdown] lang="en" minutes=15
# ## What opening a pickle does
#
# `JSON.parse` builds objects and arrays, and nothing else can happen. `pickle.load` looks like its cousin. It is closer to
# `eval`: the file is a program for a small machine with a stack, and one of its instructions calls functions.
#
# You will write a file that does something while it is opened: it touches a *canary*, an empty file in a scratch folder.
# How many bytes does such a file take?
# %% [markdown] lang="fr"
# ## Ce que fait l'ouverture d'un pickle
#
# `JSON.parse` construit des objets et des tableaux, et rien d'autre ne peut arriver. `pickle.load` a l'air d'un cousin. Il
# est plus proche d'`eval` : le fichier est un programme pour une petite machine à pile, et l'une de ses instructions
# appelle des fonctions.
#
# Vous allez écrire un fichier qui fait quelque chose pendant qu'on l'ouvre : il touche un *canari*, un fichier vide dans un
# dossier de brouillon. Combien d'octets prend un tel fichier ?
# %% tags=["predict"]
wb.bet("L01.B1", value=300.0, unit="bytes", confidence=50)
# %% tags=["myth"]
wb.require("L01.B1")


class Trap:
    """What `__reduce__` says is what the file will hold: a function, and what to call it with."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return io.open, (str(self.canary), "w")


canary = scratch / "canary.txt"
trap, before = pickle.dumps(Trap(canary), protocol=4), canary.exists()
for opcode, argument, position in pickletools.genops(trap):
    print(f"{position:3}  {opcode.name:16} {argument if argument is not None else ''}")
pickle.loads(trap)  # our own harmless file
print("canary before:", before, "- after:", canary.exists())
wb.myth(
    "L01.M1", sentence="« Pickle peut exécuter du code arbitraire à la désérialisation. »", bet="L01.B1",
    verdict="vrai" if canary.exists() and not before else "faux", measured=len(trap), unit="bytes",
    condition={"en": "any function that can be imported, while load runs", "fr": "toute fonction importable, pendant load"},
)  # fmt: skip
# %% [markdown] lang="en" tags=["explain"]
# Two texts go on the stack, `STACK_GLOBAL` takes them off and **imports** the function of that name. A tuple of arguments
# follows, and `REDUCE` **calls** the function. Your class is not in the file: whoever opens it needs only Python. And it
# happens before `load` returns, so no check afterwards and no `try` around it helps.
#
# `pickletools` reads the instructions and carries none of them out. That is how to look without opening.
#
# **Make.** `steps(stream)`, given in `src/stackwalk.py`, follows the stack for you. Collect each name that would be
# imported. `GLOBAL` and `INST` hold it in their argument, `"module name"`; `STACK_GLOBAL` finds it on top of the stack;
# `EXT1` and its sisters hide it behind a number.
# %% [markdown] lang="fr" tags=["explain"]
# Deux textes vont sur la pile, `STACK_GLOBAL` les retire et **importe** la fonction de ce nom. Suit un n-uplet
# d'arguments, puis `REDUCE` **appelle** la fonction. Votre classe n'est pas dans le fichier : qui l'ouvre n'a besoin que
# de Python. Et cela arrive avant que `load` ne rende la main : aucun contrôle après, aucun `try` autour n'y change rien.
#
# `pickletools` lit les instructions et n'en exécute aucune. Voilà comment regarder sans ouvrir.
#
# **À faire.** `steps(stream)`, donnée dans `src/stackwalk.py`, suit la pile pour vous. Rassemblez chaque nom qui serait
# importé. `GLOBAL` et `INST` le portent dans leur argument, `"module nom"` ; `STACK_GLOBAL` le trouve en haut de la
# pile ; `EXT1` et ses sœurs le cachent derrière un numéro.
# %% id="L01.E1" tags=["exercise"] minutes=6 items=["scan.noexec"] stable=true
from stackwalk import steps


def names_in(stream):
    """Each (module, name) that the opcodes in `stream` (bytes) would import; nothing is imported."""
    names = []
    for opcode, argument, stack in steps(stream):
        # >>> solution
        # keep: if opcode in ("GLOBAL", "INST"):
        # keep:     names.append(...)
        if opcode in ("GLOBAL", "INST"):
            names.append(tuple(argument.split(" ", 1)))
        elif opcode == "STACK_GLOBAL":  # the name is two texts on the stack
            names.append(tuple(stack[-2:]))
        elif opcode.startswith("EXT"):  # a number that stands for a name
            names.append(("copyreg", str(argument)))
        # <<< solution
    return names


(out / "src" / "opcodes.py").write_text("from stackwalk import steps\n\n\n" + inspect.getsource(names_in))
for file in sorted(data.glob("practice-*.pkl")):
    print(file.name, names_in(file.read_bytes()))
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L01.E1")
if stuck:
    wb.hint("L01.E1")
# %% [markdown] lang="en" minutes=15
# ## Three scanners, and what each misses
#
# Nadia asks: "Is there no program that does this?" There are several. We ask three of them about seven files: the five
# for practice (three of them hostile), a pickle that starts a shell through `pydoc.pipepager`, Python's help pager, and
# one that holds an innocent PyTorch layer.
#
# A scanner answers "safe", "unsafe", or gives up. On how many of the 7 files do all three give the **right** answer?
# %% [markdown] lang="fr"
# ## Trois analyseurs, et ce que chacun rate
#
# Nadia demande : « Il n'y a pas de programme qui fasse cela ? » Il y en a plusieurs. Nous en interrogeons trois sur sept
# fichiers : les cinq d'exercice (dont trois hostiles), un pickle qui lance un shell par `pydoc.pipepager`, l'afficheur de
# l'aide de Python, et un qui contient une innocente couche de PyTorch.
#
# Un analyseur répond « sûr », « dangereux », ou renonce. Sur combien des 7 fichiers les trois répondent-ils **juste** ?
# %% tags=["predict"]
wb.bet("L01.B2", value=5, unit="files", confidence=50)
# %% tags=["demo"]
wb.require("L01.B2")
import pydoc

import torch
from scanners import ask_all

torch.manual_seed(seed)
Trap.__reduce__ = lambda self: (pydoc.pipepager, ("", f"touch {self.canary}"))
(scratch / "pager.pkl").write_bytes(pickle.dumps(Trap(scratch / "second-canary.txt")))
(scratch / "layer.pkl").write_bytes(pickle.dumps(torch.nn.Linear(2, 2)))
files = [*sorted(data.glob("practice-*")), scratch / "pager.pkl", scratch / "layer.pkl"]
truth = ["unsafe", "unsafe", "safe", "unsafe", "safe", "unsafe", "safe"]
said = [ask_all(file) for file in files]
print(f"{'':22}{'truth':10}" + "".join(f"{name:14}" for name in said[0]))
for file, true, answers in zip(files, truth, said, strict=True):
    print(f"{file.name:22}{true:10}" + "".join(f"{answer:14}" for answer in answers.values()))
right = sum(set(answers.values()) == {true} for true, answers in zip(truth, said, strict=True))
print("all three right:", right, "of", len(files))
wb.note("scanners", {file.name: answers for file, answers in zip(files, said, strict=True)} | {"all_right": right})
# %% [markdown] lang="en" tags=["explain"]
# modelscan keeps a list of **forbidden** names, and nobody had thought of the pager. fickling distrusts whatever lies beyond
# the standard library, so an honest layer rings the alarm, and it gives up on the zip that a `.pt` file is. picklescan is
# right seven times of 7: its list of forbidden names is longer, today. And "gives up" is not "safe".
#
# It is the old lesson of input validation: list what is **allowed**. You know which contents you expect, so that list can
# be complete. And even then a scanner only lowers the risk; knowing who made the file, by a hash or a signature, comes
# first.
#
# **Modify.** The starter's `src/policy.py` forbids four names. Turn it around, with the table of names in the lab's `README.md`.
# %% [markdown] lang="fr" tags=["explain"]
# modelscan tient une liste de noms **interdits**, et personne n'avait pensé à l'afficheur d'aide. fickling se méfie de tout
# ce qui dépasse la bibliothèque standard : une couche honnête sonne l'alarme, et il renonce devant le zip qu'est un fichier
# `.pt`. picklescan a raison sept fois sur 7 : sa liste de noms interdits est plus longue, aujourd'hui. Et « renonce » n'est
# pas « sûr ».
#
# C'est la vieille leçon de la validation des entrées : énumérez ce qui est **permis**. Vous savez quels contenus vous
# attendez, donc cette liste peut être complète. Même alors, un analyseur ne fait que réduire le risque ; savoir qui a fait
# le fichier, par une empreinte ou une signature, passe d'abord.
#
# **À modifier.** `src/policy.py`, du point de départ, interdit quatre noms. Renversez-le, avec le tableau de noms du `README.fr.md` du lab.
# %% id="L01.E2" tags=["exercise"] minutes=6 items=["scan.flags", "scan.clean"]
# >>> solution
# keep: ALLOWED = ...
array = [("numpy", "ndarray"), ("numpy", "dtype"), *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("_core", "core"))]
tensor = [("torch", "FloatStorage"), ("torch._utils", "_rebuild_tensor_v2")]
ALLOWED = {("collections", "OrderedDict"), *array, *tensor}
# <<< solution


def why_unsafe(names):
    """The first name that makes a file unsafe, as text; an empty text when there is none."""
    return next((".".join(map(str, name)) for name in names if name not in ALLOWED), "")


(out / "src" / "policy.py").write_text(f"ALLOWED = {sorted(ALLOWED)!r}\n\n\n" + inspect.getsource(why_unsafe))
program = [sys.executable, str(out / "src" / "scan.py"), *map(str, files)]
print(subprocess.run(program, capture_output=True, text=True, timeout=60).stdout)
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L01.E2")
if stuck:
    wb.hint("L01.E2")
# %% [markdown] lang="en" minutes=15
# ## Names, versions, languages
#
# The deck has two more reproaches, and one praise. The praise: no dependency is added. The reproaches: pickles do not
# survive a change of Python, nor of language. Today's digit network has two layers, and the next cell trains it with `src/training.py`.
#
# A pickle is written in one of six *protocols*, 0 to 5; a new one is read by new Pythons only. How many of the six does
# the Python of this notebook read?
# %% [markdown] lang="fr"
# ## Noms, versions, langages
#
# Le support de cours a encore deux reproches, et un éloge. L'éloge : aucune dépendance n'est ajoutée. Les reproches : un
# pickle ne survit ni à un changement de Python, ni à un changement de langage. Le réseau du jour a deux couches, et la
# cellule suivante l'entraîne avec `src/training.py`.
#
# Un pickle est écrit dans l'un de six *protocoles*, de 0 à 5 ; un nouveau n'est lu que par des Python récents. Combien des
# six le Python de ce notebook lit-il ?
# %% tags=["predict"]
wb.bet("L01.B3", value=3, unit="protocols", confidence=50)
# %% tags=["myth"]
from training import prepared, trained

target = out / "artifacts" / "model.safetensors"
network, share = trained(data / "digits.safetensors", seed, epochs=8 if fast else 15)
print(f"held-out digits read rightly: {share:.0%}")
weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
streams = {protocol: pickle.dumps(weights, protocol=protocol) for protocol in range(6)}
for protocol, stream in streams.items():
    print(f"protocol {protocol}: begins with {stream[:2].hex(' ')}, {len(stream):7} bytes")
readable = sum(set(pickle.loads(stream)) == set(weights) for stream in streams.values())
wb.myth(
    "L01.M2", sentence="« Incompatible entre versions de Python »", verdict="ça dépend", measured=readable, bet="L01.B3",
    condition={"en": "old protocols are read for ever; classes that moved are not found",
               "fr": "les vieux protocoles restent lisibles ; les classes déplacées sont introuvables"},
)  # fmt: skip
module = sys.modules["guichet_v1"] = type(sys)("guichet_v1")
module.Reader = type("Reader", (), {"__module__": "guichet_v1"})
stream = pickle.dumps(module.Reader())
del sys.modules["guichet_v1"]  # somebody renamed the file
try:
    pickle.loads(stream)
except ImportError as error:
    print(len(stream), "bytes of our own, unreadable:", type(error).__name__, error)
# %% [markdown] lang="en" tags=["explain"]
# All six protocols are read, down to the one of the last century: later Pythons keep reading older ones, and `80 05` at
# the head of a file names its protocol. What breaks is something else. The last stream holds a **name**, not a class: rename
# the module, or install a library that moved the class, and the object is gone. So "no dependency" means: the whole source
# code, at the same version.
#
# **Make.** safetensors is a format that you can write by hand: 8 bytes for the length of the header, smallest first; the
# header in JSON (`dtype`, `shape`, and where the bytes begin and end); then the numbers.
# %% [markdown] lang="fr" tags=["explain"]
# Les six protocoles sont lus, jusqu'à celui du siècle dernier : les Python suivants continuent de lire les anciens, et
# `80 05` en tête d'un fichier nomme son protocole. Ce qui casse est ailleurs. Le dernier flux contient un **nom**, pas une
# classe : renommez le module, ou installez une bibliothèque qui a déplacé la classe, et l'objet est perdu. « Aucune
# dépendance » veut donc dire : tout le code source, dans la même version.
#
# **À faire.** safetensors est un format que l'on peut écrire à la main : 8 octets pour la longueur de l'en-tête, octet de
# poids faible d'abord ; l'en-tête en JSON (`dtype`, `shape`, et où commencent et finissent les octets) ; puis les nombres.
# %% id="L01.E3" tags=["exercise"] minutes=6 items=["st.valid", "st.weights"]
header, body = {}, b""
for name, tensor in weights.items():
    # >>> solution
    # keep: header[name] = {"dtype": "F32", "shape": ..., "data_offsets": ...}
    raw = tensor.astype("<f4").tobytes()
    header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(raw)]}
    body += raw
    # <<< solution
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)  # spaces, so that the numbers begin at a multiple of 8
target.write_bytes(len(text).to_bytes(8, "little") + text + body)
print(target.stat().st_size, "bytes;", text[:70].decode(), "...")
# %% tags=["check", "myth"]
stuck = False  # True shows the next of three hints
wb.check("L01.E3")
if stuck:
    wb.hint("L01.E3")
reader = """const file = require("fs").readFileSync(process.argv[1]), start = 8 + Number(file.readBigUInt64LE(0));
const [first, last] = JSON.parse(file.subarray(8, start))["hidden.bias"].data_offsets;
let sum = 0;
for (let at = first; at < last; at += 4) sum += file.readFloatLE(start + at);
console.log(String(sum));"""
node = shutil.which("node")
if node and target.is_file():
    told = subprocess.run([node, "-e", reader, str(target)], capture_output=True, text=True, timeout=60).stdout
    gap = abs(float(told) - float(weights["hidden.bias"].sum(dtype=np.float64)))
    wb.myth(
        "L01.M3", sentence="« Inutilisable depuis Java, Go, Rust, etc. »", measured=gap,
        verdict="ça dépend" if gap < 1e-5 else "vrai",
        condition={"en": "true of a pickle's classes; plain tensors are read by Node, with this gap between the sums",
                   "fr": "vrai des classes d'un pickle ; Node lit de simples tenseurs, avec cet écart entre les sommes"},
    )  # fmt: skip
else:
    print({"en": "skipped: no Node.js here, or no file yet", "fr": "laissé de côté : ni Node.js ni fichier"}[lang])
# %% [markdown] lang="en" minutes=15
# ## Four ways out of PyTorch
#
# The deck names three alternatives; a fourth has joined them since. `state_dict` keeps the weights only. TorchScript
# (`torch.jit.script`) keeps weights and code. safetensors keeps tensors. `torch.export` keeps the computation as a graph:
# think of it as the built bundle, while a `state_dict` is only the database dump.
#
# Before you measure: loading the safetensors file takes so many times as long as reading the same weights back with
# `torch.load`. Less than 1 means that safetensors is quicker.
# %% [markdown] lang="fr"
# ## Quatre façons de sortir de PyTorch
#
# Le support nomme trois alternatives ; une quatrième les a rejointes depuis. `state_dict` garde les poids seuls.
# TorchScript (`torch.jit.script`) garde poids et code. safetensors garde des tenseurs. `torch.export` garde le calcul sous
# forme de graphe : voyez-y le bundle construit, quand un `state_dict` n'est que l'export de la base de données.
#
# Avant de mesurer : charger le fichier safetensors prend tant de fois le temps de relire les mêmes poids par
# `torch.load`. Moins de 1 veut dire que safetensors est plus rapide.
# %% tags=["predict"]
wb.bet("L01.B4", value=1.0, unit="x", confidence=40)
# %% tags=["demo"]
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file

paths = {name: scratch / name for name in ("state.pt", "module.pt", "script.pt", "weights.safetensors", "graph.pt2")}
torch.save(network.state_dict(), paths["state.pt"])
torch.save(network, paths["module.pt"])
save_file(network.state_dict(), paths["weights.safetensors"])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    torch.jit.script(network).save(str(paths["script.pt"]))
    example = prepared(np.zeros((2, 28, 28), dtype=np.uint8))
    torch.export.save(torch.export.export(network, (example,)), paths["graph.pt2"])
told = sorted({warning.category.__name__ for warning in caught if "torch.jit" in str(warning.message)})
print("torch.jit says:", ", ".join(told) or "nothing")
try:
    torch.load(paths["module.pt"])
except pickle.UnpicklingError:
    print("torch.load refuses module.pt: by default it reads weights only")
loaded = {
    "state_dict": lambda: torch.load(paths["state.pt"], weights_only=True),
    "safetensors": lambda: load_torch(paths["weights.safetensors"]),
}
m = wb.measure(loaded, bet="L01.B4", batch=1)
print(f"safetensors takes {m.ratio('safetensors', 'state_dict'):.2f} times as long as state_dict")
wb.note("torch_jit_warning", told)
# %% tags=["myth"]
import zipfile


def pickles_in(data):
    """How many pickles lie in a file's bytes, archives inside archives included."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sum(pickles_in(archive.read(name)) for name in archive.namelist())
    return int(data[:1] == b"\x80" and data[-1:] == b".")


found = {name: pickles_in(path.read_bytes()) for name, path in paths.items()}
for name, path in paths.items():
    print(f"{name:20} {path.stat().st_size:7} bytes, pickles inside: {found[name]}")
wb.note("formats", {name: {"bytes": paths[name].stat().st_size, "pickles": found[name]} for name in paths})
wb.myth(
    "L01.M4", sentence="« safetensors — sans exécution de code »", measured=found["weights.safetensors"], unit="pickles",
    verdict="vrai" if not found["weights.safetensors"] else "faux",
    condition={"en": "tensors only: architecture and preprocessing travel elsewhere",
               "fr": "des tenseurs seulement : architecture et prétraitement voyagent ailleurs"},
)  # fmt: skip
# %% [markdown] lang="en" tags=["explain"]
# Five files of nearly the same size: the format hardly changes it. All but one hold pickles, the graph's sample inputs
# included. `torch.load` reads them with a restricted unpickler since version 2.6, whose `weights_only` became the default;
# it had holes since, and updates. TorchScript is deprecated: it warns. For the graph there is a better way in lab 02.
#
# safetensors says nothing of layers, labels or scaling. Deliver them beside it: code that rebuilds, and an identity card
# with the hash, as a lock file does for a package.
#
# **Make.** Fill the card, and write the network's answer. `load_model` must work for *any* folder of this kind.
# %% [markdown] lang="fr" tags=["explain"]
# Cinq fichiers de taille presque égale : le format n'y change guère. Tous sauf un contiennent des pickles, jusque dans les
# exemples d'entrée du graphe. `torch.load` les lit avec un désérialiseur restreint depuis la version 2.6, dont le
# `weights_only` est devenu le défaut ; il a eu des failles depuis, et des mises à jour. TorchScript est déprécié : il
# avertit. Pour le graphe, il y a mieux au lab 02.
#
# safetensors ne dit rien des couches, des étiquettes ni de l'échelle. Livrez-les à côté : du code qui reconstruit, et une
# carte d'identité avec l'empreinte, comme un fichier de verrouillage pour un paquet.
#
# **À faire.** Remplissez la carte, et écrivez la réponse du réseau. `load_model` doit marcher pour *tout* dossier de ce
# genre.
# %% id="L01.E4" tags=["exercise"] minutes=7 items=["meta", "rebuild"]
from types import SimpleNamespace
from safetensors.numpy import load_file

# >>> solution
# keep: card = {"sha256": ..., "labels": ..., "versions": ...}
digest = hashlib.sha256(target.read_bytes()).hexdigest()
versions = {"python": platform.python_version(), "torch": str(torch.__version__)}
card = {"sha256": digest, "labels": list(range(10)), "versions": versions}
# <<< solution
card |= {"weights": target.name, "preprocessing": {"divide": 255, "mean": 0.15, "std": 0.30}}


def probabilities(tensors, images):
    values = (images.reshape(len(images), -1) / 255 - 0.15) / 0.30
    # >>> solution
    # keep: hidden = np.maximum(...)
    hidden = np.maximum(values @ tensors["hidden.weight"].T + tensors["hidden.bias"], 0)
    scores = np.exp(hidden @ tensors["output.weight"].T + tensors["output.bias"])
    return scores / scores.sum(axis=1, keepdims=True)  # softmax
    # <<< solution


def load_model(folder):
    tensors = load_file(Path(folder) / "model.safetensors")
    return SimpleNamespace(predict=lambda images: probabilities(tensors, images))


heads = "from pathlib import Path\nfrom types import SimpleNamespace\n\nimport numpy as np\nfrom safetensors.numpy import load_file\n"
(out / "artifacts" / "model_meta.json").write_text(json.dumps(card, indent=1))
(out / "src" / "rebuild.py").write_text("\n\n".join([heads, *map(inspect.getsource, (probabilities, load_model))]))
print(load_model(out / "artifacts").predict(np.zeros((1, 28, 28), dtype=np.uint8)).round(2))
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L01.E4")
if stuck:
    wb.hint("L01.E4")
# %% [markdown] lang="en" minutes=15
# ## The pipeline
#
# The other pickle sorts the town hall's mail: six measurements of a scanned form go in, the number of a desk comes out. It
# is a pipeline of scikit-learn: a scaler, then a classifier. The deck advises packing the preprocessing with the model,
# and gives an example.
#
# First a bet about what happens if somebody ships the classifier without its scaler. It answers without complaint. On how
# many percent of the forms does it still name the right desk? There are 3 desks.
# %% [markdown] lang="fr"
# ## Le pipeline
#
# L'autre pickle trie le courrier de la mairie : six mesures d'un formulaire numérisé entrent, le numéro d'un bureau sort.
# C'est un pipeline de scikit-learn : un scaler, puis un classifieur. Le support conseille d'emballer le prétraitement avec
# le modèle, et donne un exemple.
#
# D'abord un pari sur ce qui arrive si quelqu'un livre le classifieur sans son scaler. Il répond sans se plaindre. Sur
# combien de pour cent des formulaires nomme-t-il encore le bon bureau ? Il y a 3 bureaux.
# %% tags=["predict"]
wb.bet("L01.B5", value=80.0, unit="%", confidence=50)
# %% tags=["myth"]
wb.require("L01.B5")
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

table = np.loadtxt(data / "forms.csv", delimiter=",", skiprows=1)
table = np.random.default_rng(seed).permutation(table)
rows, desks = table[:, :6], table[:, 6].astype(int)
pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows[:700], desks[:700])
whole, bare = pipeline.score(rows[700:], desks[700:]), pipeline[-1].score(rows[700:], desks[700:])
print(f"right desks with the scaler: {whole:.0%}; without it: {bare:.0%}; errors raised: none")
try:
    save_file(pipeline, scratch / "pipeline.safetensors")
    verdict = "vrai"
except Exception as error:
    verdict = "faux"
    wb.note("pipeline_in_safetensors", type(error).__name__)
    print("safetensors says:", type(error).__name__, error)
wb.myth(
    "L01.M5", sentence="« sklearn Pipeline sérialisé avec safetensors »", verdict=verdict, measured=100 * bare, unit="%",
    bet="L01.B5", condition={"en": "safetensors takes tensors; of a pipeline it would keep numbers and lose the steps",
                             "fr": "safetensors prend des tenseurs ; d'un pipeline, il garderait des nombres sans les étapes"},
)  # fmt: skip
# %% [markdown] lang="en" tags=["explain"]
# Little better than guessing, and nothing complained: that is why scaler and classifier must travel
# in one file. safetensors cannot be that file; the library answered with an error of types, because it looks for tensors.
#
# Three formats can. skops writes the structure as JSON, the arrays beside it, in a zip; it lists each type that loading
# would create, and refuses those outside its own list. Open Neural Network Exchange (ONNX) freezes the computation: lab 02.
# JSON with arrays works too, if you deliver a loader.
#
# **Make.** Write `artifacts/pipeline.skops`, and print what it would need you to trust.
# %% [markdown] lang="fr" tags=["explain"]
# À peine mieux que le hasard, et rien ne s'est plaint : voilà pourquoi scaler et classifieur
# doivent voyager dans un seul fichier. safetensors ne peut pas être ce fichier ; la bibliothèque a répondu par une erreur
# de types, car elle cherche des tenseurs.
#
# Trois formats le peuvent. skops écrit la structure en JSON, les tableaux à côté, dans un zip ; il énumère chaque type que
# le chargement créerait, et refuse ceux hors de sa liste. Le format d'échange ouvert de réseaux de neurones (ONNX, *Open
# Neural Network Exchange*) fige le calcul : lab 02. Du JSON avec des tableaux marche aussi, si vous livrez un chargeur.
#
# **À faire.** Écrivez `artifacts/pipeline.skops`, et affichez à quoi il faudrait faire confiance.
# %% id="L01.E5" tags=["exercise"] minutes=6 items=["pipeline.safe"]
import skops.io

# >>> solution
# keep: skops.io.dump(...)
skops.io.dump(pipeline, out / "artifacts" / "pipeline.skops")
# <<< solution
print("to be trusted:", skops.io.get_untrusted_types(file=out / "artifacts" / "pipeline.skops"))
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L01.E5")
if stuck:
    wb.hint("L01.E5")
# %% [markdown] lang="en" minutes=10
# ## What you deliver
#
# Last, weigh what you hand in: sizes read from the files, not typed. And look once more whether a pickle was left behind.
#
# **Without looking back:** answer the three cards below. And in one sentence of your own: what would you tell the data
# scientist in Lyon?
#
# Next: the graph that other languages run, [lab 02, the frozen graph](../../labs/02-onnx/README.md).
# %% [markdown] lang="fr"
# ## Ce que vous livrez
#
# Pour finir, pesez ce que vous rendez : des tailles lues dans les fichiers, pas tapées. Et regardez encore une fois s'il ne
# reste pas un pickle.
#
# **Sans regarder en arrière :** répondez aux trois cartes ci-dessous. Et en une phrase à vous : que diriez-vous à la data
# scientist de Lyon ?
#
# Ensuite : le graphe que d'autres langages exécutent, [le lab 02, le graphe figé](../../labs/02-onnx/README.fr.md).
# %% id="L01.E6" tags=["exercise"] minutes=4 items=["nopkl", "report"]
delivered = [path for path in sorted((out / "artifacts").iterdir()) if path.suffix != ".md"]
# >>> solution
# keep: sizes = {path.name: ... for path in delivered}
sizes = {path.name: path.stat().st_size for path in delivered}
# <<< solution
print("pickles left:", [path.name for path in delivered if pickles_in(path.read_bytes())])
wb.note("sizes", sizes)
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L01.E6")
if stuck:
    wb.hint("L01.E6")
cards = {
    "L01.Q1": {"en": ["when load returns", "while load runs", "when the object is used"],
               "fr": ["quand load rend la main", "pendant que load travaille", "quand on utilise l'objet"]},
    "L01.Q2": {"en": ["a list of forbidden names", "a list of allowed names", "a search for os.system"],
               "fr": ["une liste de noms interdits", "une liste de noms permis", "une recherche d'os.system"]},
    "L01.Q3": {"en": ["the architecture", "the shapes", "the numbers"], "fr": ["l'architecture", "les formes", "les nombres"]},
}  # fmt: skip
asks = {
    "L01.Q1": {"en": "When does a hostile pickle act?", "fr": "Quand un pickle hostile agit-il ?"},
    "L01.Q2": {"en": "What can be complete?", "fr": "Qu'est-ce qui peut être complet ?"},
    "L01.Q3": {"en": "What is not in a safetensors file?", "fr": "Que ne contient pas un fichier safetensors ?"},
}
for name in asks:  # give your answer in place of None, one card after the other
    wb.ask(name, cards[name], answer=None, text=asks[name])

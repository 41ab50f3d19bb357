# %% [markdown] lang="en"
# # In a box
#
# Le Guichet, episode 5. Nadia, who runs the town hall's servers, has one machine, forty services and no time to install
# Python for each. "Send me a box," she writes. "Small, quick to rebuild, nothing in it that I would have to explain to the
# mayor." You build that box, and look inside it as somebody would who wants to find something.
#
# **Objectives**
#
# - weigh what a service imports, and pin it
# - keep secrets and data out of what is sent to the engine
# - order a Dockerfile so that a rebuild is short
# - find a deleted file again in a layer
# - run as an ordinary user, and stop politely
#
# **Prerequisites**: the service of lab 04, or the starter's. A container engine; without one, the cells say what they skip.
#
# **Time**: 90 minutes
#
# **Hand in**: `Dockerfile`, `.dockerignore`, `requirements.txt`, `RUN.md`, `app/`, `answers.json`
#
# **Last run**: 2026-11-22
# %% [markdown] lang="fr"
# # En boîte
#
# Le Guichet, épisode 5. Nadia, qui s'occupe des serveurs de la mairie, a une machine, quarante services et pas le temps
# d'installer Python pour chacun. « Envoyez-moi une boîte, écrit-elle. Petite, vite reconstruite, rien dedans que je doive
# expliquer au maire. » Vous fabriquez cette boîte, et y regardez comme qui veut y trouver quelque chose.
#
# **Objectifs**
#
# - mesurer le poids de ce qu'un service importe, et figer les versions
# - tenir secrets et données hors de ce qui est envoyé au moteur
# - ordonner un Dockerfile pour que la reconstruction soit courte
# - retrouver un fichier effacé dans une couche
# - exécuter sous un utilisateur ordinaire, et s'arrêter poliment
#
# **Prérequis** : le service du lab 04, ou du point de départ. Un moteur de conteneurs ; sans lui, les cellules disent ce
# qu'elles laissent de côté.
#
# **Durée** : 90 minutes
#
# **À rendre** : `Dockerfile`, `.dockerignore`, `requirements.txt`, `RUN.md`, `app/`, `answers.json`
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
# ## The engine, and the base
#
# A container engine builds an *image*, a stack of read-only layers, and starts *containers* from it: class and instances.
# The next cell looks for an engine and for an image to build on, `python:3.11-slim` or the course's own stand-in for it. All
# builds here run without network. The images it makes are called `guichet-notebook`, and the last cell removes them.
# %% [markdown] lang="fr"
# ## Le moteur, et la base
#
# Un moteur de conteneurs construit une *image*, une pile de couches en lecture seule, et en démarre des *conteneurs* : la
# classe et ses instances. La cellule suivante cherche un moteur et une image sur laquelle construire, `python:3.11-slim`
# ou celle du cours qui la remplace. Toutes les constructions se font ici sans réseau. Les images fabriquées s'appellent
# `guichet-notebook`, et la dernière cellule les supprime.
# %% tags=["setup"]
import contextlib, importlib.metadata, json, tarfile, tempfile  # noqa: E401
from pathlib import Path

import numpy as np

import workbench as wb

wb.begin(lab="05-docker", seed=seed, fast=fast, bets=bets, out_dir=out_dir, lang=lang, n_repeats=n_repeats)
data, out, scratch = Path(data_dir), Path(out_dir), Path(tempfile.mkdtemp())
engine = base = None
try:
    import docker

    found = docker.from_env(timeout=300)
    tags = {tag for image in found.images.list() for tag in image.tags}
    base = next((name for name in ("python:3.11-slim", "grader/base:3.11") if name in tags), None)
    engine = found if base else None
except Exception as error:  # no library, no engine, or not allowed to ask it: the notebook goes on without
    print("no engine:", type(error).__name__)
skipped = {"en": "skipped: no container engine with a Python base image answers",
           "fr": "laissé de côté : aucun moteur de conteneurs ne répond avec une image de base Python"}[lang]  # fmt: skip
made = []
print(f"engine: {engine.version()['Version']}, base: {base}" if engine else skipped)
# %% [markdown] lang="en" minutes=15
# ## What weighs
#
# The deck: data science images take several gigabytes, because of PyTorch and its libraries for graphics cards. Your
# service only *runs* a model. It needs a runtime, not the library that trained it: a website ships its bundle, not the
# compiler.
#
# How many times as heavy as `onnxruntime` is `torch`, installed, without what either depends on?
# %% [markdown] lang="fr"
# ## Ce qui pèse
#
# Le support : les images de data science prennent plusieurs gigaoctets, à cause de PyTorch et de ses bibliothèques pour
# cartes graphiques. Votre service ne fait qu'*exécuter* un modèle. Il lui faut un moteur d'exécution, pas la bibliothèque
# qui l'a entraîné : un site livre son bundle, pas le compilateur.
#
# Combien de fois `torch`, une fois installé, pèse-t-il plus que `onnxruntime`, sans leurs dépendances ?
# %% tags=["predict"]
wb.bet("L05.B1", value=4.0, unit="x", confidence=50)
# %% tags=["myth"]
wb.require("L05.B1")


def megabytes(package):
    """What the files of an installed package weigh; 0 where it is not installed."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return 0.0
    return sum(Path(file.locate()).stat().st_size for file in files if Path(file.locate()).is_file()) / 1e6


weights = {name: megabytes(name) for name in ("torch", "scipy", "scikit-learn", "pandas", "onnxruntime", "numpy")}
for name, weight in sorted(weights.items(), key=lambda entry: -entry[1]):
    print(f"{name:14}{weight:8.0f} MB" if weight else f"{name:14} not installed here")
ratio = weights["torch"] / weights["onnxruntime"] if weights["onnxruntime"] else 0.0
wb.note("package_megabytes", weights)
wb.myth(
    "L05.M1", sentence="« Les images Data Science sont lourdes (plusieurs Go) à cause de PyTorch et CUDA. »", measured=ratio,
    unit="x", bet="L05.B1", verdict="vrai" if ratio > 2 else "ça dépend",
    condition={"en": "where they are installed: a service that runs a model needs neither",
               "fr": "là où ils sont installés : un service qui exécute un modèle n'a besoin d'aucun des deux"},
)  # fmt: skip
# %% [markdown] lang="en" tags=["explain"]
# The weight is a choice. `torch` alone, here in its version without a graphics card, outweighs everything that the service
# imports; the version for graphics cards brings several gigabytes more. A *slim* base leaves out compilers and manuals, and
# is a good start; what you install on it decides.
#
# **Make.** Write `requirements.txt`: the packages that `app/` imports, and the server, each with **one** exact version. The
# build finds those of the table, and nothing else.
#
# | fastapi | numpy | onnxruntime | pydantic | uvicorn |
# |---|---|---|---|---|
# | 0.165.0 | 2.4.6 | 1.31.1 | 2.14.3 | 0.54.0 |
# %% [markdown] lang="fr" tags=["explain"]
# Le poids est un choix. `torch` seul, ici dans sa version sans carte graphique, pèse plus que tout ce qu'importe le service ;
# la version pour cartes graphiques apporte plusieurs gigaoctets de plus. Une base *slim* laisse de côté compilateurs et
# manuels, et c'est un bon départ ; ce que vous installez dessus décide.
#
# **À faire.** Écrivez `requirements.txt` : les paquets qu'importe `app/`, et le serveur, chacun avec **une** version exacte.
# La construction trouve ceux du tableau, et rien d'autre.
#
# | fastapi | numpy | onnxruntime | pydantic | uvicorn |
# |---|---|---|---|---|
# | 0.165.0 | 2.4.6 | 1.31.1 | 2.14.3 | 0.54.0 |
# %% id="L05.E1" tags=["exercise"] minutes=4 items=["deps.pinned"]
# >>> solution
# keep: lines = [...]
lines = ["fastapi==0.165.0", "numpy==2.4.6", "onnxruntime==1.31.1", "pydantic==2.14.3", "uvicorn==0.54.0"]
# <<< solution
(out / "requirements.txt").write_text("\n".join(lines) + "\n")
print("packages:", len(lines))
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L05.E1")
if stuck:
    wb.hint("L05.E1")
# %% [markdown] lang="en" minutes=15
# ## What is sent
#
# `docker build .` begins by sending the folder, all of it, to the engine: the *context*. `COPY` can only take from there, and
# whatever was copied by accident is in the image. `.dockerignore` is to the build what `.gitignore` is to a repository,
# except that a pattern starts at the top folder: for any depth it needs `**/`.
#
# The next cell plants a folder as one grows on a laptop. What share of its bytes does the service need?
# %% [markdown] lang="fr"
# ## Ce qui est envoyé
#
# `docker build .` commence par envoyer le dossier, tout entier, au moteur : le *contexte*. `COPY` ne peut prendre que là, et ce
# qui a été copié par accident est dans l'image. `.dockerignore` est à la construction ce que `.gitignore` est à un dépôt, à
# ceci près qu'un motif part du dossier du haut : pour toute profondeur, il lui faut `**/`.
#
# La cellule suivante plante un dossier comme il en pousse sur un portable. Quelle part de ses octets le service demande-t-il ?
# %% tags=["predict"]
wb.bet("L05.B2", value=20.0, unit="%", confidence=50)
# %% tags=["demo"] stable=true
wb.require("L05.B2")
desk = scratch / "desk"
planted = {
    "app/main.py": 4_000, "requirements.txt": 100, "Dockerfile": 400, ".env": 80, ".git/objects/pack/all.pack": 900_000,
    "data/train.csv": 700_000, "notebooks/explore.ipynb": 250_000, "notebooks/model.pkl": 400_000,
}  # fmt: skip
for name, size in planted.items():
    (desk / name).parent.mkdir(parents=True, exist_ok=True)
    (desk / name).write_bytes(bytes(size))


def sent(patterns):
    """Which of the planted files a build would get, by the engine library's own reading of the patterns."""
    from docker.utils.build import exclude_paths

    return sorted(name for name in exclude_paths(str(desk), list(patterns)) if name in planted)


for patterns in ([], ["*.csv", "*.pkl"], ["**/*.csv", "**/*.pkl", ".git", ".env", "notebooks"], ["*", "!app", "!requirements.txt"]):
    names = sent(patterns)
    print(f"{' '.join(patterns) or '(no file)':48} {len(names)} files, {sum(planted[name] for name in names):8} bytes")
# %% [markdown] lang="en" tags=["explain"]
# Less than one percent of the bytes are needed. The second line stops nothing: `*.csv` means the top folder only. The third
# works until somebody adds a folder. The fourth turns the list around, as the scanner of lab 01 did: everything is refused,
# and what the image needs is let in by `!`.
#
# **Make.** Write your `.dockerignore`. The grader plants decoys beside your files, at several depths, and looks which get
# through; `app/` and `requirements.txt` must.
# %% [markdown] lang="fr" tags=["explain"]
# Moins d'un pour cent des octets sont nécessaires. La deuxième ligne n'arrête rien : `*.csv` ne vise que le dossier du haut. La
# troisième marche jusqu'à ce que quelqu'un ajoute un dossier. La quatrième renverse la liste, comme l'analyseur du lab 01 :
# tout est refusé, et ce dont l'image a besoin entre par `!`.
#
# **À faire.** Écrivez votre `.dockerignore`. Le correcteur plante des leurres à côté de vos fichiers, à plusieurs profondeurs,
# et regarde lesquels passent ; `app/` et `requirements.txt` doivent passer.
# %% id="L05.E2" tags=["exercise"] minutes=5 items=["ctx.ignore"]
# >>> solution
# keep: patterns = ["*", ...]
patterns = ["*", "!app", "!requirements.txt", "**/__pycache__", "**/.env*", "**/*.csv", "**/*.pkl", "**/*.onnx"]
# <<< solution
(out / ".dockerignore").write_text("\n".join(patterns) + "\n")
print("would be sent from the desk:", ", ".join(sent(patterns)))
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L05.E2")
if stuck:
    wb.hint("L05.E2")
# %% [markdown] lang="en" minutes=15
# ## Layers, and their order
#
# Each instruction makes a layer, and the engine keeps it: same instruction, same files, same layer before, and nothing is
# done again. It is memoisation. So one changed file invalidates its own layer **and all that follow**.
#
# Two orders: the deck's, dependencies first, and `COPY . .` on top. You change one comment in `app/main.py` and build again. Of
# the 2 layers that each file adds to the base, how many are rebuilt in the deck's order?
# %% [markdown] lang="fr"
# ## Les couches, et leur ordre
#
# Chaque instruction fait une couche, et le moteur la garde : même instruction, mêmes fichiers, même couche avant, et rien
# n'est refait. C'est de la mémoïsation. Un fichier changé invalide donc sa propre couche **et toutes les suivantes**.
#
# Deux ordres : celui du support, les dépendances d'abord, et `COPY . .` en haut. Vous changez un commentaire dans `app/main.py` et
# reconstruisez. Des 2 couches que chaque fichier ajoute à la base, combien sont refaites dans l'ordre du support ?
# %% tags=["predict"]
wb.bet("L05.B3", value=2, unit="layers", confidence=50)
# %% tags=["myth"]
def built(text, folder, name):
    """The image that a Dockerfile makes of a folder, without network."""
    (folder / "Dockerfile").write_text(f"FROM {base}\n{text}\n")
    made.append(f"guichet-notebook:{scratch.name}-{name}")
    return engine.images.build(path=str(folder), tag=made[-1], network_mode="none", rm=True)[0]


wb.require("L05.B3")
install = "RUN head -c 8000000 /dev/urandom > /opt/packages"  # stands for pip install, and never gives the same bytes
orders = {"deck": f"{install}\nCOPY app /srv/app", "top": f"COPY . /srv/\n{install}"}
rebuilt, project = {}, scratch / "project"
(project / "app").mkdir(parents=True)
for name, text in orders.items() if engine else ():
    (project / "app" / "main.py").write_text(f"# version {seed}.1 {name}\n")
    first = built(text, project, f"{name}-1").attrs["RootFS"]["Layers"]
    (project / "app" / "main.py").write_text(f"# version {seed}.2 {name}\n")
    rebuilt[name] = len(set(built(text, project, f"{name}-2").attrs["RootFS"]["Layers"]) - set(first))
print("layers rebuilt after one comment:", rebuilt or skipped)
if rebuilt:
    wb.myth("L05.M2", sentence="« rebuild quasi instantané »", verdict="vrai" if rebuilt["deck"] == 1 else "faux",
            measured=rebuilt["deck"], bet="L05.B3", unit="of 2 layers", condition={
                "en": "while requirements.txt stays, and is copied before the code",
                "fr": "tant que requirements.txt ne change pas, et qu'il est copié avant le code"})  # fmt: skip
# %% tags=["demo"]
stages = f"""
RUN head -c 8000000 /dev/urandom > /opt/compiler && cp /etc/hostname /opt/product
FROM {base}
COPY --from=0 /opt/product /opt/product
"""
if engine:
    weight = engine.images.get(base).attrs["Size"]
    single = built(stages.splitlines()[1], project, "single").attrs["Size"] - weight
    final = built(stages.strip(), project, "multi").attrs["Size"] - weight
    print(f"one stage adds {single / 1e6:.1f} MB to the base; of two stages, the last adds {final / 1e6:.1f} MB")
    wb.note("stages_bytes", {"single": single, "multi": final})
else:
    print(skipped)
# %% [markdown] lang="en" tags=["explain"]
# In the deck's order only the code is copied again; with `COPY . .` on top, one comment reinstalls everything. In a
# *multi-stage* build the compiler stays behind in its own stage, and only the product is copied over. The deck's file says
# `AS base` and has one stage: a name makes no second stage.
#
# `python:latest` moves under your feet, and 3.10, the slide's number, has had no security fix since October 2026. Name a
# supported version, slim.
#
# **Make.** The first half of your `Dockerfile`: base, `WORKDIR /srv`, requirements, `pip install --no-cache-dir`, then `app`.
# %% [markdown] lang="fr" tags=["explain"]
# Dans l'ordre du support, seul le code est recopié ; avec `COPY . .` en haut, un commentaire réinstalle tout. Dans une
# construction à plusieurs étapes (*multi-stage*), le compilateur reste dans son étape, et seul le produit est copié. Le
# fichier du support dit `AS base` et n'a qu'une étape : un nom n'en fait pas une seconde.
#
# `python:latest` bouge sous vos pieds, et 3.10, le numéro de la diapositive, n'a plus de correctif de sécurité depuis octobre
# 2026. Nommez une version maintenue, slim.
#
# **À faire.** La première moitié de votre `Dockerfile` : base, `WORKDIR /srv`, requirements, `pip install --no-cache-dir`, puis
# `app`.
# %% id="L05.E3" tags=["exercise"] minutes=5 items=["df.base", "build", "cache.order", "image.size"]
# >>> solution
# keep: recipe = ["FROM ...", "WORKDIR /srv", ...]
install = "RUN pip install --no-cache-dir -r requirements.txt"
recipe = ["FROM python:3.11-slim", "WORKDIR /srv", "COPY requirements.txt .", install, "COPY app app"]
# <<< solution
(out / "Dockerfile").write_text("\n".join(recipe) + "\n")
print("instructions:", len(recipe))
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L05.E3")
if stuck:
    wb.hint("L05.E3")
# %% [markdown] lang="en" minutes=15
# ## What a layer remembers
#
# Somebody copied the model into the image, saw the mistake, and added `RUN rm model.onnx`. In the container the file is gone.
# A layer is a commit: a later one can hide a file, as deleting a password in the next commit hides it.
#
# The model weighs 5 megabytes. By how many does `RUN rm` make the image smaller?
# %% [markdown] lang="fr"
# ## Ce dont une couche se souvient
#
# Quelqu'un a copié le modèle dans l'image, a vu l'erreur, et a ajouté `RUN rm model.onnx`. Dans le conteneur, le fichier
# n'est plus là. Une couche est un commit : une suivante peut cacher un fichier, comme effacer un mot de passe au commit
# suivant le cache.
#
# Le modèle pèse 5 mégaoctets. De combien `RUN rm` allège-t-il l'image ?
# %% tags=["predict"]
wb.bet("L05.B4", value=5.0, unit="MB", confidence=50)
# %% tags=["myth"]
def find_again(archive, wanted):
    """The bytes of a file in each layer of a saved image that has it, hidden by a later one or not."""
    with tarfile.open(archive) as image:
        for part in filter(tarfile.TarInfo.isfile, image.getmembers()):
            # Not every part is a layer.
            with contextlib.suppress(tarfile.TarError), tarfile.open(fileobj=image.extractfile(part)) as layer:
                yield from (layer.extractfile(file).read() for file in layer if file.name == wanted)


wb.require("L05.B4")
if engine:
    weights = np.random.default_rng(seed).bytes(5_000_000)
    (project / "model.onnx").write_bytes(weights)
    with_model = built("COPY model.onnx /srv/model.onnx", project, "model").attrs["Size"]
    without = built("COPY model.onnx /srv/model.onnx\nRUN rm /srv/model.onnx", project, "removed")
    (scratch / "image.tar").write_bytes(b"".join(without.save()))
    again = [content == weights for content in find_again(scratch / "image.tar", "srv/model.onnx")]
    print("bytes saved by rm:", with_model - without.attrs["Size"], "- found again, whole:", again)
    wb.myth("L05.M3", sentence="« Ne jamais commiter des poids ou des données dans l'image »", measured=sum(again),
            unit="copies", verdict="vrai" if any(again) else "ça dépend", condition={
                "en": "for weights that are secret or change; a small public model in its own late layer is a legitimate design",
                "fr": "pour des poids secrets ou changeants ; un petit modèle public dans sa couche finale se défend"})  # fmt: skip
else:
    print(skipped)
# %% [markdown] lang="en" tags=["explain"]
# Nothing was saved, and the model was taken out of the image bit by bit, without starting it. Whoever can pull an image
# has its weights, its data, and the `.env` that "was removed afterwards".
#
# This course's contract keeps the model outside: its folder is mounted when the container starts, read-only, and `MODEL_PATH`
# says where. One image then serves every model, and a new model needs no new image.
#
# **Make.** Let your recipe name that place with `ENV`, and check that no instruction copies a model.
# %% [markdown] lang="fr" tags=["explain"]
# Rien n'a été gagné, et le modèle a été sorti de l'image bit pour bit, sans la démarrer. Qui peut télécharger une image a ses
# poids, ses données, et le `.env` que l'on avait « supprimé ensuite ».
#
# Le contrat de ce cours garde le modèle dehors : son dossier est monté au démarrage du conteneur, en lecture seule, et
# `MODEL_PATH` dit où. Une seule image sert alors tous les modèles, et un nouveau modèle ne demande pas de nouvelle image.
#
# **À faire.** Que votre recette nomme cet endroit par `ENV`, et vérifiez qu'aucune instruction ne copie de modèle.
# %% id="L05.E4" tags=["exercise"] minutes=4 items=["image.clean"]
# >>> solution
# keep: recipe = [*recipe[:5], "ENV ..."]
recipe = [*recipe[:5], "ENV MODEL_PATH=/models/model.onnx"]
# <<< solution
(out / "Dockerfile").write_text("\n".join(recipe) + "\n")
print("copied:", [line for line in recipe if line.startswith(("COPY", "ADD"))])
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L05.E4")
if stuck:
    wb.hint("L05.E4")
# %% [markdown] lang="en" minutes=15
# ## Who runs it, and on what
#
# An image without `USER` runs as number 0, root: the same number as on the host. The deck asks for an ordinary user. It also
# says that the environment is frozen, Python, drivers and all. An image holds files. What of the machine below it?
#
# How many of these 3 are the host's and not the image's: the Linux kernel, the Python, the files below `/usr`?
# %% [markdown] lang="fr"
# ## Qui l'exécute, et sur quoi
#
# Une image sans `USER` tourne sous le numéro 0, root : le même numéro que sur l'hôte. Le support demande un utilisateur
# ordinaire. Il dit aussi que l'environnement est figé, Python, pilotes et tout. Une image contient des fichiers. Et la machine
# en dessous ?
#
# Combien de ces 3 viennent de l'hôte et non de l'image : le noyau Linux, le Python, les fichiers sous `/usr` ?
# %% tags=["predict"]
wb.bet("L05.B5", value=0, unit="of 3", confidence=50)
# %% tags=["myth"]
wb.require("L05.B5")
asked = ["python", "-c", "import os, platform; print(os.getuid(), platform.release(), platform.python_build()[1])"]
if engine:
    people = {"nobody named": built("LABEL who=root", project, "root"), "10001": built("USER 10001:10001", project, "user")}
    hard = {"network_mode": "none", "remove": True, "read_only": True, "cap_drop": ["ALL"], "pids_limit": 64}
    said = {who: engine.containers.run(image.id, asked, **hard).decode().split(maxsplit=2) for who, image in people.items()}
    print("user number where USER names nobody, and where it says 10001:", *(answer[0] for answer in said.values()))
    # Where the engine has a virtual machine of its own, as on a Mac, the kernel is that machine's.
    kernel = engine.info()["KernelVersion"]
    hosts = int(said["10001"][1] == kernel)
    print("kernel in the container and of the engine's machine:", said["10001"][1], kernel)
    wb.myth("L05.M4", sentence="« Environnement figé : Python, CUDA, drivers toujours identiques »", measured=hosts,
            unit="of 3", bet="L05.B5", verdict="ça dépend" if hosts else "vrai", condition={
                "en": "Python and libraries are the image's; kernel and drivers are the host's",
                "fr": "Python et bibliothèques sont ceux de l'image ; noyau et pilotes ceux de l'hôte"})  # fmt: skip
    wb.myth("L05.M5", sentence="« Un useradd + USER réduit drastiquement la surface d'attaque. »",
            measured=float(said["10001"][0]), unit="= uid", verdict="ça dépend", condition={
                "en": "a number that is not 0, without capabilities, on a read-only disk; USER alone is no sandbox",
                "fr": "un numéro autre que 0, sans capacités, sur un disque en lecture seule ; USER seul n'isole pas"})  # fmt: skip
else:
    print(skipped)
# %% [markdown] lang="en" tags=["explain"]
# The kernel is shared: a container is a process with a narrow view. So root inside is one hole away from root outside.
#
# **Card: graphics cards.** The driver is the host's; an image holds only CUDA (Compute Unified Device Architecture) libraries, which
# must fit it. Nvidia's Container Toolkit hands cards into containers; it does not divide them. The slide's line needs two repairs: two
# dashes, and a tag of the published form `x.y.z-flavour-os`:
#
# `docker run --rm --gpus all nvidia/cuda:12.6.3-base-ubuntu24.04 nvidia-smi`
#
# `EXPOSE` is a note for the reader. `CMD` without brackets puts a shell in front, and `SIGTERM` stays with it.
#
# **Make.** End the recipe: `USER` by number, `EXPOSE`, and `CMD` in brackets.
# %% [markdown] lang="fr" tags=["explain"]
# Le noyau est partagé : un conteneur est un processus qui voit peu. Root dedans n'est donc qu'à une faille de root dehors.
#
# **Fiche : cartes graphiques.** Le pilote est celui de l'hôte ; une image ne contient que les bibliothèques de l'architecture de
# calcul de Nvidia (CUDA, *Compute Unified Device Architecture*), qui doivent lui convenir. Le Container Toolkit de Nvidia donne des cartes aux
# conteneurs ; il ne les partage pas. La ligne de la diapositive demande deux réparations : deux tirets, et une étiquette de la forme publiée
# `x.y.z-variante-système` :
#
# `docker run --rm --gpus all nvidia/cuda:12.6.3-base-ubuntu24.04 nvidia-smi`
#
# `EXPOSE` est une note pour le lecteur. `CMD` sans crochets met un shell devant, et `SIGTERM` reste chez lui.
#
# **À faire.** Terminez la recette : `USER` par son numéro, `EXPOSE`, et `CMD` entre crochets.
# %% id="L05.E5" tags=["exercise"] minutes=4 items=["nonroot", "stop"]
# >>> solution
# keep: end = ["USER ...", "EXPOSE 8000", ...]
server = ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"]
end = ["USER 10001:10001", "EXPOSE 8000", f"CMD {json.dumps(server)}"]
# <<< solution
(out / "Dockerfile").write_text("\n".join([*recipe[:6], *end]) + "\n")
print((out / "Dockerfile").read_text())
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L05.E5")
if stuck:
    wb.hint("L05.E5")
# %% [markdown] lang="en" minutes=10
# ## What a colleague types
#
# It is three in the morning and you cannot be reached. Write `RUN.md`: a command under Build, Run, Check and Stop. And five
# forecasts for `answers.json`, each with a reason, **before** `grader run labs/05` measures them: your layers in megabytes,
# a build with an empty cache and one after a changed line in seconds, your response time over the yardstick's, and the
# milliseconds of processor time of one prediction.
#
# **Without looking back:** answer the three cards. And in one sentence: what would you tell the data scientist who put the model
# into the image?
#
# Next: the service runs, and the world moves, [lab 06, the wind turns](../../labs/06-drift/README.md).
# %% [markdown] lang="fr"
# ## Ce que tape un collègue
#
# Il est trois heures du matin et vous êtes injoignable. Écrivez `RUN.md` : une commande sous Construire, Lancer, Vérifier et
# Arrêter. Et cinq paris pour `answers.json`, chacun avec une raison, **avant** que `grader run labs/05` ne les mesure : vos
# couches en mégaoctets, une construction au cache vide et une autre après une ligne changée en secondes, votre temps de
# réponse divisé par celui de l'étalon, et les millisecondes de processeur d'une prédiction.
#
# **Sans regarder en arrière :** répondez aux trois cartes. Et en une phrase : que diriez-vous à la data scientist qui a mis le modèle
# dans l'image ?
#
# Ensuite : le service tourne, et le monde change, [le lab 06, le vent tourne](../../labs/06-drift/README.fr.md).
# %% id="L05.E6" tags=["exercise"] minutes=4 items=["bets"]
for name in made if engine else ():
    engine.images.remove(name, force=True)
print("images of this notebook removed:", len(made))
# >>> solution
# keep: commands = {"Build": "...", "Run": ..., "Check": "...", "Stop": "..."}
start = "docker run -d --name guichet --read-only --cap-drop ALL --tmpfs /tmp -v $PWD/models:/models:ro -p 8000:8000 guichet"
commands = {"Build": "docker build -t guichet .", "Run": start, "Check": "curl localhost:8000/health", "Stop": "docker stop guichet"}
# keep: forecasts = {"image_own_mb": ..., "cold_build_s": ..., "rebuild_s": ..., "latency_ratio": ..., "cpu_ms_per_request": ...}
forecasts = {"image_own_mb": 220, "cold_build_s": 15, "rebuild_s": 1, "latency_ratio": 1.1, "cpu_ms_per_request": 2}
# keep: reasons = [...]
reasons = ["mostly onnxruntime", "five wheels to install", "one small layer only", "both do the same work", "a small model, and JSON"]
# <<< solution
pages = [f"## {name}\n\n```\n{command}\n```\n" for name, command in commands.items()]
(out / "RUN.md").write_text("# The digit service in its box\n\n" + "\n".join(pages))
answers = json.loads((out / "answers.json").read_text())
answers |= {"bets": answers["bets"] | forecasts, "reasons": dict(zip(forecasts, reasons, strict=True))}
(out / "answers.json").write_text(json.dumps(answers, ensure_ascii=False, indent=1))
print("headings:", ", ".join(commands), "- forecasts:", len(forecasts))
# %% tags=["check"]
stuck = False  # True shows the next of three hints
wb.check("L05.E6")
if stuck:
    wb.hint("L05.E6")
cards = {
    "L05.Q1": {"en": ["docker run -gpus all", "docker run --gpus all", "docker run --gpu"],
               "fr": ["docker run -gpus all", "docker run --gpus all", "docker run --gpu"]},
    "L05.Q2": {"en": ["in no layer", "in the layer that copied it", "in the layer that removed it"],
               "fr": ["dans aucune couche", "dans la couche qui l'a copié", "dans la couche qui l'a supprimé"]},
    "L05.Q3": {"en": ["the image", "the host", "the registry"], "fr": ["l'image", "l'hôte", "le registre"]},
}  # fmt: skip
asks = {
    "L05.Q1": {"en": "Which command is right?", "fr": "Quelle commande est juste ?"},
    "L05.Q2": {"en": "Where is a file that a later RUN rm removed?", "fr": "Où est un fichier qu'un RUN rm a supprimé ?"},
    "L05.Q3": {"en": "Who provides the driver of a graphics card?", "fr": "Qui fournit le pilote d'une carte graphique ?"},
}
for name in asks:  # give your answer in place of None, one card after the other
    wb.ask(name, cards[name], answer=None, text=asks[name])

# %% [markdown] lang="en"
# # The frozen graph
#
# Le Guichet, episode 2. The weights are safe now, in a format that runs no code. But they need Python, PyTorch, the class `DigitCNN`, and a cell of the author's notebook that nobody can find. Paul, who writes the page of the counter in JavaScript, asks: "What do I send, and what do I get?" The slide answers with eight lines of code and three promises. You run the eight lines to the letter, and put the promises to the test.
#
# **Objectives**
#
# - export a model as one file that travels alone
# - prove that the file says what the network says
# - move the preprocessing into the graph
# - measure a speed honestly, and say when it holds
# - convert a scikit-learn pipeline without changing its answers
#
# **Prerequisites**: lab 01, or its released checkpoint; Python, NumPy.
#
# **Time**: 82 minutes
#
# **Hand in**: `artifacts/model.onnx`, `artifacts/pipeline.onnx`, `contract.yaml`, `src/export.py`, `results.json`, `answers.json`
#
# **Last run**: 2026-11-22
# %% [markdown] lang="fr"
# # Le graphe figé
#
# Le Guichet, épisode 2. Les poids sont maintenant à l'abri, dans un format qui n'exécute aucun code. Mais il leur faut Python, PyTorch, la classe `DigitCNN`, et une cellule du notebook de l'autrice que personne ne retrouve. Paul, qui écrit la page du guichet en JavaScript, demande : « J'envoie quoi, et je reçois quoi ? » La diapositive répond par huit lignes de code et trois promesses. Vous exécutez les huit lignes, et mettez les promesses à l'épreuve.
#
# **Objectifs**
#
# - exporter un modèle en un seul fichier qui voyage seul
# - prouver que le fichier dit ce que dit le réseau
# - déplacer le prétraitement dans le graphe
# - mesurer une vitesse honnêtement, et dire quand elle tient
# - convertir un pipeline scikit-learn sans changer ses réponses
#
# **Prérequis** : le lab 01, ou son point de reprise ; Python, NumPy.
#
# **Durée** : 82 minutes
#
# **À rendre** : `artifacts/model.onnx`, `artifacts/pipeline.onnx`, `contract.yaml`, `src/export.py`, `results.json`, `answers.json`
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
# %% tags=["setup"]
import logging
import shutil
import sys
import warnings
from pathlib import Path
import numpy as np
import onnx
import onnxruntime as ort
import torch
import workbench as wb
from safetensors.torch import load_file

wb.begin(lab="02-onnx", seed=seed, fast=fast, bets=bets, out_dir=out_dir, lang=lang, n_repeats=n_repeats)
torch.manual_seed(seed)
torch.set_num_threads(1)
torch.set_grad_enabled(False)
logging.getLogger("torch.onnx").setLevel(logging.ERROR)
warnings.simplefilter("ignore", FutureWarning)  # of the exporter, about its own parts
data, out = Path(data_dir), Path(out_dir)
sys.path.insert(0, str(out / "src"))
from network import CHANNELS, DigitCNN  # the author's class: centred floats in, ten scores out
network = DigitCNN(*CHANNELS).eval()
network.load_state_dict(load_file(data / "models" / "fast.safetensors"))
digits = load_file(data / "digits.safetensors")
images, truth = digits["images"][digits["split"] == 1], digits["labels"][digits["split"] == 1].numpy()
# %% [markdown] lang="en" minutes=15
# ## The slide, to the letter
#
# ONNX (Open Neural Network Exchange) is a file format: the operations of a network and its weights, without Python. The slide makes such a file with one call. Before you run it: the weights of this network weigh 335 kB. **How many kB will `model.onnx` weigh?**
# %% [markdown] lang="fr" minutes=15
# ## La diapositive, à la lettre
#
# ONNX, format d'échange ouvert de réseaux de neurones (*Open Neural Network Exchange*), est un format de fichier : les opérations d'un réseau et ses poids, sans Python. La diapositive fait un tel fichier en un appel. Avant de le lancer : les poids de ce réseau pèsent 335 ko. **Combien de ko pèsera `model.onnx` ?**
# %% tags=["predict"]
wb.bet("L02.B1", value=..., unit="kB", confidence=...)
# %% tags=["demo"] stable=true
wb.require("L02.B1")
slide, alone = out / "slide", out / "slide" / "alone"
alone.mkdir(parents=True, exist_ok=True)
model, dummy_input = network, (images[:1].float().unsqueeze(1) / 255 - 0.15) / 0.30
torch.onnx.export(
    model, dummy_input, slide / "model.onnx",
    input_names=["x"], output_names=["y"],
)
shutil.copy(slide / "model.onnx", alone)
for file in sorted(slide.glob("model.*")):
    print(file.name, "more" if file.stat().st_size > 300_000 else "less", "than 300 kB")
try:
    ort.InferenceSession(alone / "model.onnx")
    print("alone in a folder: it opens")
except Exception as error:
    print("alone in a folder: it does not open,", type(error).__name__)
print("it shows folder names:", b"File " in (slide / "model.onnx").read_bytes())
# %% [markdown] lang="en" tags=["explain"]
# Two files. Since PyTorch 2.9 the default exporter puts weights into `model.onnx.data` beside the graph, and the graph alone does not open. Like a page deployed without its scripts, it works on the machine where it was made. The graph also carries, node by node, the path and the lines of your source: the solution takes them out.
#
# And `x`? Floats, divided and centred by a cell that only the author had. A browser holds bytes from 0 to 255. What a caller must know and can forget belongs inside.
# %% [markdown] lang="fr" tags=["explain"]
# Deux fichiers. Depuis PyTorch 2.9, l'exporteur par défaut met les poids dans `model.onnx.data`, à côté du graphe, et le graphe seul ne s'ouvre pas. Comme une page déployée sans ses scripts, il marche sur la machine où il a été fait. Le graphe porte aussi, nœud par nœud, le chemin et les lignes de votre code source : la solution les retire.
#
# Et `x` ? Des flottants, divisés et centrés par une cellule que seule l'autrice avait. Un navigateur tient des octets de 0 à 255. Ce que l'appelant doit savoir et peut oublier a sa place à l'intérieur.
# %% [markdown] lang="en"
# **Exercise E1.** Write a file that travels: `artifacts/model.onnx`, one file, `image` (uint8, [N, 28, 28]) in, `label` and `probabilities` out. The author divided by 255, took 0.15 away and divided by 0.30. Keep an example of 1 image for now.
# %% [markdown] lang="fr"
# **Exercice E1.** Écrivez un fichier qui voyage : `artifacts/model.onnx`, un seul fichier, `image` (uint8, [N, 28, 28]) en entrée, `label` et `probabilities` en sortie. L'autrice divisait par 255, retirait 0,15 et divisait par 0,30. Gardez un exemple de 1 image pour l'instant.
# %% id="L02.E1" tags=["exercise"] items=["selfcontained", "opset", "portability", "pipe.raw", "parity"]
class Served(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        # >>> solution
        scores = self.network((image.float().unsqueeze(1) / 255 - 0.15) / 0.30)
        return scores.argmax(dim=1), scores.softmax(dim=1)
        # <<< solution


served = Served(network).eval()
model_file = out / "artifacts" / "model.onnx"
model_file.parent.mkdir(exist_ok=True)
names = {"input_names": ["image"], "output_names": ["label", "probabilities"]}
# >>> solution
# keep: # torch.onnx.export(served, (an example,), model_file, **names, and what keeps it in one file)
example = torch.zeros(1, 28, 28, dtype=torch.uint8)
torch.onnx.export(served, (example,), model_file, **names, external_data=False, verbose=False)
print(sorted(file.name for file in model_file.parent.glob("*.onnx*")))
# <<< solution
# %% tags=["check"]
wb.check("L02.E1")
another_hint = False  # True shows the next one
if another_hint:
    wb.hint("L02.E1")
# %% [markdown] lang="en" minutes=13
# ## How many at once?
#
# At noon 64 forms arrive together. One call with 64 images is cheaper than 64 calls, so Paul sends them as one batch to the slide's file. **What is the largest number of images that it accepts at once: 1, 2, 7, 64?**
# %% [markdown] lang="fr" minutes=13
# ## Combien à la fois ?
#
# À midi, 64 formulaires arrivent ensemble. Un appel de 64 images coûte moins que 64 appels : Paul les envoie donc en un seul lot au fichier de la diapositive. **Quel est le plus grand nombre d'images qu'il accepte à la fois : 1, 2, 7, 64 ?**
# %% tags=["predict"]
wb.bet("L02.B2", value=..., unit="images", confidence=...)
# %% tags=["myth"]
wb.require("L02.B2")
session, largest = ort.InferenceSession(slide / "model.onnx"), 0
floats = (images.float().unsqueeze(1) / 255 - 0.15) / 0.30
for size in (1, 2, 7, 64):
    try:
        session.run(None, {"x": floats[:size].numpy()})
        largest = size
    except Exception as error:
        print(size, "refused:", type(error).__name__)
wb.myth(
    "L02.M1", sentence="« Modèle sous forme de graphe statique figé »", verdict="ça dépend",
    condition={"en": "operations and weights: yes; the batch: only if the export says nothing about it",
               "fr": "opérations et poids : oui ; la taille du lot : seulement si l'export n'en dit rien"},
    measured=largest, unit="image", bet="L02.B2",
)  # fmt: skip
# %% [markdown] lang="en" tags=["explain"]
# The exporter follows one example through the network and writes down what it sees. It saw 1 image, and so the number 1 stands in the file; in yours too. Nothing is wrong with the network: the graph is a recording, and a recording knows only the sizes that you declare open.
# %% [markdown] lang="fr" tags=["explain"]
# L'exporteur suit un exemple à travers le réseau et note ce qu'il voit. Il a vu 1 image, et le nombre 1 est donc inscrit dans le fichier ; dans le vôtre aussi. Le réseau n'y est pour rien : le graphe est un enregistrement, et un enregistrement ne connaît comme libres que les tailles que vous déclarez.
# %% [markdown] lang="en"
# **Exercise E2.** Export again with an open batch: `dynamic_shapes` names an axis of an argument of `forward`. Take an example of 2 images, since the exporter treats a 1 as a constant.
# %% [markdown] lang="fr"
# **Exercice E2.** Réexportez avec un lot libre : `dynamic_shapes` nomme un axe d'un argument de `forward`. Prenez un exemple de 2 images, car l'exporteur traite un 1 comme une constante.
# %% id="L02.E2" tags=["exercise"] items=["dynbatch"]
# >>> solution
# keep: # torch.onnx.export(served, (two images,), model_file, **names, dynamic_shapes=..., ...)
batch = {"image": {0: torch.export.Dim("batch")}}
example = torch.zeros(2, 28, 28, dtype=torch.uint8)
torch.onnx.export(
    served, (example,), model_file, **names, dynamic_shapes=batch, external_data=False, verbose=False
)
exported = onnx.load(model_file)
for part in (exported.graph, *exported.graph.node, *exported.graph.value_info):
    del part.metadata_props[:]  # paths and source lines of this machine
onnx.save(exported, model_file)
# <<< solution
# %% tags=["check"]
wb.check("L02.E2")
if another_hint:
    wb.hint("L02.E2")
# %% [markdown] lang="en" minutes=15
# ## A promise to the callers
#
# A name in the graph is a name in an API: whoever renames it breaks every caller. And a session, like a pool of connections, is opened once and checks what it is given. Four wrong calls to the slide's file: numbers of 64 bits, another name, 27 columns instead of 28, and pixels that are all NaN, "not a number". **How many of the 4 are refused?**
# %% [markdown] lang="fr" minutes=15
# ## Une promesse aux appelants
#
# Un nom du graphe est un nom d'API : qui le renomme casse tous les appelants. Et une session, comme un pool de connexions, s'ouvre une fois et vérifie ce qu'on lui donne. Quatre appels faux au fichier de la diapositive : des nombres de 64 bits, un autre nom, 27 colonnes au lieu de 28, et des pixels tous NaN, « pas un nombre ». **Combien des 4 sont refusés ?**
# %% tags=["predict"]
wb.bet("L02.B3", value=..., unit="calls", confidence=...)
# %% tags=["demo"] stable=true
wb.require("L02.B3")
session = ort.InferenceSession(slide / "model.onnx")
right = dummy_input.numpy()
wrong_calls = {
    "64 bits": {"x": right.astype(np.float64)},
    "other name": {"image": right},
    "27 columns": {"x": right[..., :27]},
    "all NaN": {"x": np.full_like(right, np.nan)},
}
for fault, call in wrong_calls.items():
    try:
        print(f"{fault:10}  answered:", session.run(None, call)[0][0, :3])
    except Exception as error:
        print(f"{fault:10}  refused:", type(error).__name__)
# %% [markdown] lang="en" tags=["explain"]
# Types, names and sizes are the graph's own business, and it minds them. Values are not: NaN goes in, NaN comes out, with status 200. Your file takes uint8, in which NaN cannot even be said; a service that takes floats must look for itself (lab 04).
#
# Next promise: portable everywhere. ONNX comes with a second runtime, slow and literal: its reference evaluator. ONNX Runtime, ORT for short, can also save a graph that it has optimised for itself.
# %% [markdown] lang="fr" tags=["explain"]
# Types, noms et tailles sont l'affaire du graphe, et il y veille. Les valeurs, non : NaN entre, NaN sort, avec un statut 200. Votre fichier prend des uint8, où NaN ne peut même pas se dire ; un service qui prend des flottants doit vérifier lui-même (lab 04).
#
# Promesse suivante : portable partout. ONNX est livré avec un second moteur, lent et littéral : son évaluateur de référence. Le moteur d'exécution ONNX (ORT, *ONNX Runtime*) sait aussi enregistrer un graphe qu'il a optimisé pour lui-même.
# %% tags=["myth"]
from onnx.reference import ReferenceEvaluator

runtime, reference = ort.InferenceSession(slide / "model.onnx"), ReferenceEvaluator(str(slide / "model.onnx"))
few = [{"x": floats[at : at + 1].numpy()} for at in range(4 if fast else 24)]
gap = max(np.abs(runtime.run(None, one)[0] - reference.run(None, one)[0]).max() for one in few)
options = ort.SessionOptions()
options.log_severity_level = 3
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
options.optimized_model_filepath = str(slide / "optimised.onnx")
ort.InferenceSession(slide / "model.onnx", options)
private = {node.op_type for node in onnx.load(slide / "optimised.onnx").graph.node if node.domain}
try:
    ReferenceEvaluator(str(slide / "optimised.onnx")).run(None, few[0])
except Exception as error:
    print("optimised file:", type(error).__name__, "because of", *private)
wb.myth(
    "L02.M2", sentence="« Standard universel : portable partout »", verdict="ça dépend",
    condition={"en": "standard operators, in a set (opset) that the other runtime knows",
               "fr": "des opérateurs de la norme, dans un jeu (opset) que l'autre moteur connaît"},
    measured=float(gap), unit="max |y - y'|",
)  # fmt: skip
# %% [markdown] lang="en"
# The opset is the baseline of browsers: newer has more operators, and fewer runtimes. The exporter writes 20; ORT on the server and its web build of lab 08 know up to 26.
#
# **Exercise E3.** Write the promise down: `contract.yaml`, with `model`, `version`, `owner`, `metric`, `inputs`, `outputs`. Take names, types and shapes from the graph, not from memory. The batch is a word.
# %% [markdown] lang="fr"
# L'opset est le socle de navigateurs : plus récent, plus d'opérateurs, et moins de moteurs. L'exporteur écrit 20 ; ORT sur le serveur et sa version web du lab 08 connaissent jusqu'à 26.
#
# **Exercice E3.** Écrivez la promesse : `contract.yaml`, avec `model`, `version`, `owner`, `metric`, `inputs`, `outputs`. Prenez noms, types et formes dans le graphe, pas de mémoire. Le lot est un mot.
# %% id="L02.E3" tags=["exercise"] items=["names"]
import yaml

# >>> solution
# keep: # contract = {"model": ..., "inputs": [{"name": ..., "dtype": "uint8", "shape": ["batch", ...]}], ...}
session = ort.InferenceSession(model_file)
for value in (*session.get_inputs(), *session.get_outputs()):
    print(value.name, value.type, value.shape)
accuracy = float((session.run(None, {"image": images.numpy()})[0] == truth).mean())
contract = {
    "model": "guichet-digits", "version": "1.0.0", "owner": "Le Guichet",
    "metric": {"name": "accuracy", "value": round(accuracy, 3), "on": "360 held-out digits"},
    "inputs": [{"name": "image", "dtype": "uint8", "shape": ["batch", 28, 28], "range": [0, 255]}],
    "outputs": [
        {"name": "label", "dtype": "int64", "shape": ["batch"]},
        {"name": "probabilities", "dtype": "float32", "shape": ["batch", 10], "range": [0, 1]},
    ],
}  # fmt: skip
text = yaml.safe_dump(contract, sort_keys=False)
(out / "contract.yaml").write_text(text)
print(text)
# <<< solution
# %% tags=["check"]
wb.check("L02.E3")
if another_hint:
    wb.hint("L02.E3")
# %% [markdown] lang="en" minutes=14
# ## Faster?
#
# The slide says: often faster than plain PyTorch. How often, and than which PyTorch? Same machine, 1 thread each, the two in turns. **How many times as fast is ORT, with 1 image and with 32?** A number below 1 says slower.
# %% [markdown] lang="fr" minutes=14
# ## Plus rapide ?
#
# La diapositive dit : souvent plus rapide que PyTorch brut. Combien de fois, et que quel PyTorch ? Même machine, 1 fil chacun, les deux à tour de rôle. **Combien de fois plus rapide est ORT, avec 1 image et avec 32 ?** Un nombre inférieur à 1 veut dire plus lent.
# %% tags=["predict"]
wb.bet("L02.B4", value=..., unit="x", confidence=...)
wb.bet("L02.B5", value=..., unit="x", confidence=...)
# %% tags=["myth", "slow"]
one_thread = ort.SessionOptions()
one_thread.intra_op_num_threads = one_thread.inter_op_num_threads = 1
batch = ({0: torch.export.Dim("batch")},)
racer = slide / "racer.onnx"
torch.onnx.export(network, (floats[:2],), racer, input_names=["x"], dynamic_shapes=batch,
                  external_data=False, verbose=False)  # fmt: skip
session = ort.InferenceSession(racer, one_thread)
can_compile = not fast and shutil.which("g++") is not None  # torch.compile writes C++ and takes half a minute
compiled = torch.compile(network) if can_compile else None


def contenders(size):
    tensor, array = floats[:size], floats[:size].numpy()
    found = {"eager": lambda: network(tensor), "onnx": lambda: session.run(None, {"x": array})}
    return found | ({"compiled": lambda: compiled(tensor)} if compiled else {})


small = wb.measure(contenders(1), bet="L02.B4", batch=1)
large = wb.measure(contenders(32), bet="L02.B5", batch=32)
wb.myth(
    "L02.M3", sentence="« Vitesse : souvent plus rapide que PyTorch brut »", measured=small,
    verdict="vrai" if min(m.ratio("eager", "onnx") for m in (small, large)) > 1.05 else "ça dépend",
    condition={"en": "this small network, 1 thread", "fr": "ce petit réseau, 1 fil"},
)  # fmt: skip
large
# %% [markdown] lang="en" tags=["explain"]
# With 1 image most of eager PyTorch's time is not arithmetic: it is Python handing 20 small operations over, one by one. The graph is handed over once. With 32 images the arithmetic weighs more and the gap shrinks. That is why a ratio without its batch, its threads and its processor says little, and why a compiled PyTorch, where one can be had, is the fairer rival.
# %% [markdown] lang="fr" tags=["explain"]
# Avec 1 image, l'essentiel du temps de PyTorch n'est pas de l'arithmétique : c'est Python qui transmet 20 petites opérations, une par une. Le graphe se transmet en une fois. Avec 32 images, l'arithmétique pèse davantage et l'écart se réduit. Voilà pourquoi un rapport sans son lot, ses fils et son processeur ne dit pas grand-chose, et pourquoi un PyTorch compilé, quand on peut en avoir un, est le rival le plus juste.
# %% [markdown] lang="en"
# **Exercise E4.** Tell the team, in one word for each batch: `faster`, `slower` or `same`, as your own samples say (between 0.8 and 1.25 nobody wins). Note them as `speed`, under `L02.B4` and `L02.B5`.
# %% [markdown] lang="fr"
# **Exercice E4.** Dites-le à l'équipe, en un mot par lot : `faster`, `slower` ou `same`, selon vos propres temps (entre 0,8 et 1,25, personne ne gagne). Notez-les sous `speed`, avec `L02.B4` et `L02.B5`.
# %% id="L02.E4" tags=["exercise"] items=["bench.protocol", "bench.truth"]
# >>> solution
# keep: # wb.note("speed", {"L02.B4": ..., "L02.B5": ...})
def verdict(m):
    ratio = m.ratio("eager", "onnx")
    return "faster" if ratio > 1.25 else "slower" if ratio < 0.8 else "same"


wb.note("speed", {"L02.B4": verdict(small), "L02.B5": verdict(large)})
# <<< solution
# %% tags=["check"]
wb.check("L02.E4")
if another_hint:
    wb.hint("L02.E4")
# %% [markdown] lang="en" minutes=15
# ## The forgotten step
#
# Suppose that the normalisation had stayed with the caller, and that Paul forgets it: pixels from 0 to 255 go straight into the network, which read 99.7 % of the held-out digits. **How many % does it read now?**
#
# Second story, Le Vol: a pipeline says from timetable, plane and weather whether a flight will be late. It fills gaps, scales, and asks 50 trees. The conversion to ONNX warns of nothing. **Of 2,000 flights, how many get another probability than from scikit-learn, by more than 0.0001?**
# %% [markdown] lang="fr" minutes=15
# ## L'étape oubliée
#
# Supposons que la normalisation soit restée chez l'appelant, et que Paul l'oublie : des pixels de 0 à 255 vont droit dans le réseau, qui lisait 99,7 % des chiffres mis de côté. **Combien de % en lit-il maintenant ?**
#
# Seconde histoire, Le Vol : un pipeline dit, d'après l'horaire, l'avion et la météo, si un vol arrivera en retard. Il comble les trous, met à l'échelle, et interroge 50 arbres. La conversion vers ONNX n'avertit de rien. **Sur 2 000 vols, combien reçoivent une autre probabilité que celle de scikit-learn, à plus de 0,0001 près ?**
# %% tags=["predict"]
wb.bet("L02.B6", value=..., unit="%", confidence=...)
wb.bet("L02.B7", value=..., unit="flights", confidence=...)
# %% tags=["myth"]
wb.require("L02.B6")
labels_with = network(floats).argmax(1).numpy()
labels_without = network(images.float().unsqueeze(1)).argmax(1).numpy()
reads = 100 * float((labels_without == truth).mean())
wb.myth(
    "L02.M4", sentence="« Le preprocessing doit être strictement identique au code d'entraînement »",
    verdict="vrai" if reads < 90 else "faux", measured=reads, unit="%", bet="L02.B6",
    condition={"en": "no error, no warning: only wrong answers",
               "fr": "ni erreur ni avertissement : seulement des réponses fausses"},
)  # fmt: skip
# %% tags=["demo"]
wb.require("L02.B7")
import flights as left  # the author's file: src/flights.py

year = left.read(data / "flights.csv.gz")
july = year[year.month == 7].head(2000)


def apart(pipeline):
    by_sklearn = pipeline.predict_proba(july[left.NUMBERS + left.TEXTS])[:, 1]
    session = ort.InferenceSession(left.convert(pipeline).SerializeToString())
    by_graph = session.run(["probabilities"], left.feed(july))[0][:, 1]
    return by_sklearn, np.abs(by_sklearn - by_graph)


_, gaps = apart(left.fit(left.build(seed), year, seed))
print((gaps > 1e-4).sum(), "of", len(gaps), "flights differ, by up to", round(float(gaps.max()), 2))
# %% [markdown] lang="en" tags=["explain"]
# The digits fail loudly, once one looks: the error is large. The flights fail quietly. scikit-learn computes in float64, the graph in float32. A tree asks "above 0.4173?", and a scaled number that lay on the line falls to the other side once it is rounded: another branch, another leaf. Labels hardly change, averages neither, and a test on ten rows may well miss it. Who needs a scaler before trees? Nobody: a tree only compares.
# %% [markdown] lang="fr" tags=["explain"]
# Les chiffres échouent à grand bruit, dès qu'on regarde : l'erreur est énorme. Les vols échouent en silence. scikit-learn calcule en float64, le graphe en float32. Un arbre demande « au-dessus de 0,4173 ? », et un nombre mis à l'échelle qui était sur la ligne tombe de l'autre côté une fois arrondi : autre branche, autre feuille. Les étiquettes changent à peine, les moyennes non plus, et un test sur dix lignes peut très bien ne rien voir. Qui a besoin d'un scaler devant des arbres ? Personne : un arbre ne fait que comparer.
# %% [markdown] lang="en"
# **Exercise E5.** Note what forgetting costs, as `skew`: `labels_with` and `labels_without` (360 whole numbers each) and `loss`, an accuracy minus an accuracy, between 0 and 1.
#
# **Exercise E6.** Build the flights' pipeline without its trap, train it with `left.fit`, write `artifacts/pipeline.onnx`, and note scikit-learn's probabilities for July as `flights`, under `sklearn`.
# %% [markdown] lang="fr"
# **Exercice E5.** Notez ce que coûte l'oubli, sous `skew` : `labels_with` et `labels_without` (360 entiers chacun) et `loss`, une exactitude moins une exactitude, entre 0 et 1.
#
# **Exercice E6.** Construisez le pipeline des vols sans son piège, entraînez-le avec `left.fit`, écrivez `artifacts/pipeline.onnx`, et notez les probabilités de scikit-learn pour juillet sous `flights`, avec la clé `sklearn`.
# %% id="L02.E5" tags=["exercise"] items=["skew"]
# >>> solution
# keep: # wb.note("skew", {"labels_with": ..., "labels_without": ..., "loss": ...})
loss = (labels_with == truth).mean() - (labels_without == truth).mean()
wb.note("skew", {"labels_with": labels_with, "labels_without": labels_without, "loss": round(loss, 4)})
# <<< solution
# %% id="L02.E6" tags=["exercise"] items=["pipe.flights"]
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
trees = HistGradientBoostingClassifier(max_iter=10 if fast else 50, random_state=seed)
# >>> solution
# keep: # columns = make_column_transformer((..., left.NUMBERS), (words, left.TEXTS))
columns = make_column_transformer((SimpleImputer(strategy="median"), left.NUMBERS), (words, left.TEXTS))
pipeline = left.fit(make_pipeline(columns, trees), year, seed, fast)
by_sklearn, gaps = apart(pipeline)
(out / "artifacts" / "pipeline.onnx").write_bytes(left.convert(pipeline).SerializeToString())
wb.note("flights", {"sklearn": by_sklearn.round(7)})
print((gaps > 1e-4).sum(), "of", len(gaps), "flights differ")
# <<< solution
# %% tags=["check"]
wb.check("L02.E5")
wb.check("L02.E6")
if another_hint:
    wb.hint("L02.E5")
    wb.hint("L02.E6")
# %% [markdown] lang="en" minutes=10
# ## From scratch
#
# Outside the notebook: repair `build` in `src/flights.py`, let `src/export.py` write both files, and type `python src/export.py --seed 12345 --out elsewhere`. A file that only your notebook can make is an heirloom.
#
# **Without looking back**
#
# 1. Which two things did the slide's call freeze or leave out, and which argument mends each?
# 2. What does a session refuse, and what does it let through?
# 3. Why did a scaler change the answers of trees, and of nothing else?
#
# **What would you tell the data scientist?** One sentence, in `RUN.md` or on paper, about the cell that nobody could find.
#
# Next: [lab 03, three promises about int8](../../labs/03-quantization/README.md).
# %% [markdown] lang="fr" minutes=10
# ## Repartir de rien
#
# Hors du notebook : réparez `build` dans `src/flights.py`, faites écrire les deux fichiers par `src/export.py`, et tapez `python src/export.py --seed 12345 --out elsewhere`. Un fichier que seul votre notebook sait faire est un souvenir de famille.
#
# **Sans regarder en arrière**
#
# 1. Quelles deux choses l'appel de la diapositive a-t-il figées ou laissées dehors, et quel argument répare chacune ?
# 2. Que refuse une session, et que laisse-t-elle passer ?
# 3. Pourquoi un scaler a-t-il changé les réponses d'arbres, et de rien d'autre ?
#
# **Que diriez-vous à la data scientist ?** Une phrase, dans `RUN.md` ou sur papier, à propos de la cellule que personne ne retrouvait.
#
# Ensuite : [le lab 03, trois promesses sur l'int8](../../labs/03-quantization/README.fr.md).

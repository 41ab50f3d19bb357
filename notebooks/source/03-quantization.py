# %% [markdown] lang="en"
# # A dry diet
#
# Le Guichet, episode 3. The reader of digits works, and Nadia, who runs the town's servers, has seen the bill: "Forty services want a corner of this machine. The slide says three times as fast, three quarters lighter, less than one percent lost. Do that." One slide, three promises, no condition. You measure them on three networks of the course, and bring back the conditions.
#
# **Objectives**
#
# - quantize a model with and without calibration data
# - measure three promises on three networks, and say when they hold
# - tell size, sparsity and speed apart
# - prune a network and train it on
# - compare compilers at equal precision
#
# **Prerequisites**: lab 02, or its released checkpoint; PyTorch at reading level.
#
# **Time**: 85 minutes
#
# **Hand in**: `artifacts/mlp_int8.onnx`, `artifacts/cnn_int8.onnx`, `artifacts/calibration.json`, `artifacts/pruned.safetensors`, `artifacts/pruned_int8.onnx`, `results.json`, `answers.json`
#
# **Last run**: 2026-11-22
# %% [markdown] lang="fr"
# # Régime sec
#
# Le Guichet, épisode 3. Le lecteur de chiffres marche, et Nadia, qui exploite les serveurs de la ville, a vu la facture : « Quarante services veulent un coin de cette machine. La diapositive dit trois fois plus vite, trois quarts plus léger, moins d'un pour cent de perdu. Faites ça. » Une diapositive, trois promesses, aucune condition. Vous les mesurez sur trois réseaux du cours, et rapportez les conditions.
#
# **Objectifs**
#
# - quantifier un modèle avec et sans données de calibration
# - mesurer trois promesses sur trois réseaux, et dire quand elles tiennent
# - distinguer taille, parcimonie et vitesse
# - élaguer un réseau et le réentraîner
# - comparer des compilateurs à précision égale
#
# **Prérequis** : le lab 02, ou son point de reprise ; lire PyTorch.
#
# **Durée** : 85 minutes
#
# **À rendre** : `artifacts/mlp_int8.onnx`, `artifacts/cnn_int8.onnx`, `artifacts/calibration.json`, `artifacts/pruned.safetensors`, `artifacts/pruned_int8.onnx`, `results.json`, `answers.json`
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
# %% tags=["setup"] stable=true
import gzip
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from safetensors.torch import save_file

import workbench as wb
wb.begin(lab="03-quantization", seed=seed, fast=fast, bets=bets, out_dir=out_dir, lang=lang, n_repeats=n_repeats)
torch.manual_seed(seed)
sys.path.insert(0, data_dir)
import tools  # given code: prepare, open, run, train, export

models, out, scratch = Path(data_dir) / "models", Path(out_dir) / "artifacts", Path(out_dir) / "scratch"
out.mkdir(exist_ok=True), scratch.mkdir(exist_ok=True)
digits = tools.load_digits()
held_out = digits["images"][digits["split"] == 1], digits["labels"][digits["split"] == 1]
one = held_out[0][:1]
for name in ("cnn384", "lenet", "mlp"):
    tools.prepare(models / f"{name}.onnx", scratch / f"{name}.onnx")  # both ways to int8 want this first
print(len(held_out[1]), "held-out digits")
# %% [markdown] lang="en" minutes=12
# ## Int8 without data
#
# A float32 weight takes 4 bytes, an int8 one takes 1 and counts 256 steps between the smallest and the largest weight. *Dynamic* quantization rewrites the weights now, and finds the range of the activations at each call: like compressing an answer on the fly. No data needed.
#
# The first network is an MLP (multilayer perceptron): two hidden layers of 512, nearly nothing but matrix products. **How many times as fast will it be on one image?** Below 1 means slower.
# %% [markdown] lang="fr" minutes=12
# ## L'int8 sans données
#
# Un poids float32 prend 4 octets, un poids int8 en prend 1 et compte 256 pas entre le plus petit et le plus grand poids. La quantification *dynamique* réécrit les poids maintenant, et cherche l'étendue des activations à chaque appel : comme une réponse compressée à la volée. Aucune donnée à fournir.
#
# Le premier réseau est un MLP (perceptron multicouche, *multilayer perceptron*) : deux couches cachées de 512, presque rien que des produits de matrices. **Combien de fois plus rapide sera-t-il sur une image ?** Au-dessous de 1, il est plus lent.
# %% tags=["predict"]
wb.bet("L03.B1", value=..., unit="x", confidence=...)
# %% tags=["demo"]
wb.require("L03.B1")
quantize_dynamic(scratch / "mlp.onnx", scratch / "mlp_dynamic.onnx", weight_type=QuantType.QInt8)
mlp = wb.measure(
    {"fp32": tools.caller(models / "mlp.onnx", one), "dynamic": tools.caller(scratch / "mlp_dynamic.onnx", one)},
    id="mlp", bet="L03.B1",
)  # fmt: skip
mlp
# %% [markdown] lang="en" tags=["explain"]
# Faster, because one image keeps the processor waiting for weights: a quarter of the bytes is a quarter of the wait. The products themselves are quicker too, where the processor multiplies bytes (look for `vnni` among the flags above).
#
# Finding the range at each call costs one pass over the activations: nothing beside a matrix of 512 by 512. Keep that cost in mind.
#
# Where does the error come from? One step has to fit the largest weight. A single huge weight makes the step coarse for all its neighbours: that is what `per_channel` is for.
# %% [markdown] lang="fr" tags=["explain"]
# Plus rapide, car avec une seule image le processeur attend les poids : un quart des octets, c'est un quart de l'attente. Les produits eux-mêmes vont plus vite aussi, là où le processeur multiplie des octets (cherchez `vnni` parmi les drapeaux ci-dessus).
#
# Chercher l'étendue à chaque appel coûte un passage sur les activations : rien à côté d'une matrice de 512 par 512. Gardez ce coût en tête.
#
# D'où vient l'erreur ? Un pas doit convenir au plus grand poids. Un seul poids énorme rend le pas grossier pour tous ses voisins : `per_channel` sert à cela.
# %% [markdown] lang="en"
# **Exercise E1.** Write `artifacts/mlp_int8.onnx`, dynamic, with signed int8 weights, and print the share of the bytes that is left.
# %% [markdown] lang="fr"
# **Exercice E1.** Écrivez `artifacts/mlp_int8.onnx`, dynamique, à poids int8 signés, et affichez la part d'octets qui reste.
# %% id="L03.E1" tags=["exercise"] items=["mlp.size", "mlp.acc", "mlp.int8"]
# >>> solution
# keep: # quantize_dynamic(a prepared model, a file in out, the type of its weights)
quantize_dynamic(scratch / "mlp.onnx", out / "mlp_int8.onnx", weight_type=QuantType.QInt8)
share = (out / "mlp_int8.onnx").stat().st_size / (models / "mlp.onnx").stat().st_size
print(f"{share:.1%}")
# <<< solution
# %% tags=["check"]
wb.check("L03.E1")
another_hint = False  # True shows the next one
if another_hint:
    wb.hint("L03.E1")
# %% [markdown] lang="en" minutes=15
# ## The same button on another network
#
# The network of this course is a CNN (convolutional neural network): five convolutions, no large matrix. You could press the same button. Or you show the model some images first: *static* quantization, which fixes the range of each layer in the file, like sizes known at build time.
#
# **How many times as fast is the CNN on one image, dynamic (L03.B2), and static (L03.B3)?**
# %% [markdown] lang="fr" minutes=15
# ## Le même bouton sur un autre réseau
#
# Le réseau de ce cours est un CNN, réseau de neurones convolutif (convolutional neural network) : cinq convolutions, pas de grande matrice. Vous pourriez appuyer sur le même bouton. Ou montrer d'abord des images au modèle : la quantification *statique*, qui fixe dans le fichier l'étendue de chaque couche, comme des tailles connues à la compilation.
#
# **Combien de fois plus rapide est le CNN sur une image, en dynamique (L03.B2), et en statique (L03.B3) ?**
# %% tags=["predict"]
wb.bet("L03.B2", value=..., unit="x", confidence=...)
wb.bet("L03.B3", value=..., unit="x", confidence=...)
# %% tags=["demo"]
wb.require("L03.B2")


class Rows(CalibrationDataReader):
    def __init__(self, images):
        self.batches = iter([{"image": images[at : at + 32]} for at in range(0, len(images), 32)])

    def get_next(self):
        return next(self.batches, None)


signed = {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
blank = np.zeros((32, 28, 28), np.uint8)
quantize_dynamic(scratch / "cnn384.onnx", scratch / "cnn_dynamic.onnx", weight_type=QuantType.QInt8)
quantize_static(scratch / "cnn384.onnx", scratch / "cnn_blank.onnx", Rows(blank), per_channel=True, **signed)
tried = {"fp32": models / "cnn384.onnx", "dynamic": scratch / "cnn_dynamic.onnx", "blank": scratch / "cnn_blank.onnx"}
for name, path in tried.items():
    right = tools.count_right(path, *held_out)
    print(name, f"{path.stat().st_size / tried['fp32'].stat().st_size:.1%} of the bytes, {right / 360:.1%} read")
# %% [markdown] lang="en" tags=["explain"]
# Size and accuracy of the dynamic file look perfect, and say nothing about speed: that duel comes after the exercise. Its operator, `ConvInteger`, has no fast path on this processor, and each layer searches its range again.
#
# The file called *blank* was calibrated on a black image. The ranges it fixed are those of black: everything brighter is cut off. It weighs the same, opens without a warning, and reads about one digit in four. The same happens, by accident, to whoever divides by 255 a model that divides by itself. In the QDQ (quantize-dequantize) form, pairs of nodes hold these ranges in the file.
# %% [markdown] lang="fr" tags=["explain"]
# La taille et l'exactitude du fichier dynamique semblent parfaites, et ne disent rien de la vitesse : ce duel vient après l'exercice. Son opérateur, `ConvInteger`, n'a pas de chemin rapide sur ce processeur, et chaque couche cherche de nouveau son étendue.
#
# Le fichier *blank* a été calibré sur une image noire. Les étendues qu'il a fixées sont celles du noir : tout ce qui est plus clair est coupé. Il pèse autant, s'ouvre sans avertissement, et lit environ un chiffre sur quatre. La même chose arrive, par accident, à qui divise par 255 pour un modèle qui divise déjà. Dans la forme QDQ, quantifier-déquantifier (quantize-dequantize), des paires de nœuds tiennent ces étendues dans le fichier.
# %% [markdown] lang="en"
# **Exercise E2.** Draw 256 *training* rows, calibrate on their raw images, write `artifacts/cnn_int8.onnx`, and note the rows with the hash of their bytes in `artifacts/calibration.json`.
# %% [markdown] lang="fr"
# **Exercice E2.** Tirez 256 lignes *d'entraînement*, calibrez sur leurs images brutes, écrivez `artifacts/cnn_int8.onnx`, et notez les lignes avec l'empreinte de leurs octets dans `artifacts/calibration.json`.
# %% id="L03.E2" tags=["exercise"] items=["cnn.static", "cnn.speed", "cnn.acc", "cnn.calib"]
# >>> solution
# keep: # rows = np.random.default_rng(seed).choice(..., 256, replace=False)
rows = np.random.default_rng(seed).choice(np.flatnonzero(digits["split"] == 0), 256, replace=False)
images = digits["images"][rows]
note = {"indices": rows.tolist(), "sha256": hashlib.sha256(images.tobytes()).hexdigest()}
(out / "calibration.json").write_text(json.dumps(note))
quantize_static(scratch / "cnn384.onnx", out / "cnn_int8.onnx", Rows(images), per_channel=True, **signed)
# <<< solution
# %% tags=["check"]
wb.check("L03.E2")
if another_hint:
    wb.hint("L03.E2")
# %% [markdown] lang="en" minutes=15
# ## Three promises, three networks
#
# Now the duels, all on one thread, in turns. The third network is a LeNet of 1998, so small that a call is mostly bookkeeping. **How many times as fast is the static int8 LeNet?**
# %% [markdown] lang="fr" minutes=15
# ## Trois promesses, trois réseaux
#
# Place aux duels, tous sur un seul fil, à tour de rôle. Le troisième réseau est un LeNet de 1998, si petit qu'un appel est surtout de l'intendance. **Combien de fois plus rapide est le LeNet int8 statique ?**
# %% tags=["predict"]
wb.bet("L03.B4", value=..., unit="x", confidence=...)
# %% tags=["demo"]
training = digits["images"][digits["split"] == 0][:256]
quantize_static(scratch / "cnn384.onnx", scratch / "cnn_static.onnx", Rows(training), per_channel=True, **signed)
quantize_static(scratch / "lenet.onnx", scratch / "lenet_static.onnx", Rows(training), per_channel=True, **signed)
kinds = {"fp32": models / "cnn384.onnx", "dynamic": scratch / "cnn_dynamic.onnx", "static": scratch / "cnn_static.onnx"}
cnn = wb.measure({kind: tools.caller(path, one) for kind, path in kinds.items()}, id="cnn", bet="L03.B2")
pair = {"fp32": models / "lenet.onnx", "static": scratch / "lenet_static.onnx"}
lenet = wb.measure({kind: tools.caller(path, one) for kind, path in pair.items()}, id="lenet", bet="L03.B4")
files = {"mlp dynamic": "mlp_dynamic", "cnn static": "cnn_static", "lenet static": "lenet_static"}
for name, file in files.items():
    before = models / {"mlp": "mlp.onnx", "cnn": "cnn384.onnx", "len": "lenet.onnx"}[file[:3]]
    lighter = 1 - (scratch / f"{file}.onnx").stat().st_size / before.stat().st_size
    low, high = tools.wilson(tools.count_right(scratch / f"{file}.onnx", *held_out), 360)
    print(f"{name}: {lighter:.1%} lighter, reads between {low:.1%} and {high:.1%}")
lenet
# %% tags=["myth"]
wb.require("L03.B3")
lost = tools.count_right(models / "cnn384.onnx", *held_out) - tools.count_right(scratch / "cnn_static.onnx", *held_out)
weight = (scratch / "cnn_static.onnx").stat().st_size / (models / "cnn384.onnx").stat().st_size
wb.myth("L03.M1", sentence="« Gain de vitesse ×3 »", verdict="ça dépend", measured=cnn, bet="L03.B3", condition={
    "en": "True for the static CNN where the processor multiplies bytes; the dynamic one and LeNet get slower.",
    "fr": "Vrai du CNN statique si le processeur multiplie des octets ; en dynamique, et pour LeNet, c'est plus lent."})
wb.myth("L03.M2", sentence="« Poids du modèle −75 % »", verdict="ça dépend", measured=100 * (weight - 1), unit="%", condition={
    "en": "Never quite: scales, biases and the graph stay. About 74.5 % for large networks, 70 % for LeNet.",
    "fr": "Jamais tout à fait : échelles, biais et graphe restent. Environ 74,5 % pour les grands réseaux, 70 % pour LeNet."})
wb.myth("L03.M3", sentence="« Perte de précision < 1 % »", verdict="ça dépend", measured=100 * lost / 360, unit="points", condition={
    "en": "With a sound calibration, yes; on a black image three digits in four are lost. 360 digits cannot show less than 0.3 point.",
    "fr": "Avec une calibration saine, oui ; sur une image noire, trois chiffres sur quatre sont perdus. 360 chiffres ne montrent pas moins de 0,3 point."})  # fmt: skip
# %% [markdown] lang="en" tags=["explain"]
# One slide, four answers. Int8 pays where a layer multiplies a lot (CNN, MLP) with an operator that has a fast kernel: VNNI (Vector Neural Network Instructions) or its successors. LeNet spends its time between the layers, and the extra nodes are more of that. A dynamic CNN searches ranges and multiplies slowly.
#
# And the interval: 359 of 360 digits read says "between 98.4 % and 99.9 %". "Less than one percent lost" is at most 3 digits here. Nobody can promise that from 360.
# %% [markdown] lang="fr" tags=["explain"]
# Une diapositive, quatre réponses. L'int8 paie là où une couche multiplie beaucoup (CNN, MLP) avec un opérateur qui a un noyau rapide : VNNI, instructions vectorielles pour réseaux de neurones (Vector Neural Network Instructions), ou leurs successeurs. LeNet passe son temps entre les couches, et les nœuds ajoutés en rajoutent. Un CNN dynamique cherche des étendues et multiplie lentement.
#
# Et l'intervalle : 359 chiffres lus sur 360 disent « entre 98,4 % et 99,9 % ». « Moins d'un pour cent de perdu », c'est au plus 3 chiffres ici. Personne ne peut le promettre avec 360.
# %% [markdown] lang="en"
# **Exercise E3.** Your duels are kept, sample by sample. Complete `word_for`, which says of a ratio `faster`, `same` or `slower`, and note a verdict for each duel, whichever way it goes. The last exercise adds the duels still to come.
# %% [markdown] lang="fr"
# **Exercice E3.** Vos duels sont gardés, échantillon par échantillon. Complétez `word_for`, qui dit d'un rapport `faster`, `same` ou `slower`, et notez un verdict pour chaque duel, dans quelque sens qu'il aille. Le dernier exercice ajoute les duels à venir.
# %% id="L03.E3" tags=["exercise"] items=["speed.protocol"]
verdicts = {}


def word_for(ratio):
    # >>> solution
    # keep: # "faster", "slower", or "same" where the next run may turn it round
    return "faster" if ratio > 1.1 else "slower" if ratio < 0.9 else "same"
    # <<< solution


def judge(duel, base, *others):
    for other in others:
        ratio = duel.ratio(base, other)
        verdicts[f"{duel.id}.{other}"] = {"ratio": ratio, "verdict": word_for(ratio)}
    wb.note("verdicts", verdicts)


judge(mlp, "fp32", "dynamic")
judge(cnn, "fp32", "dynamic", "static")
judge(lenet, "fp32", "static")
# %% tags=["check"]
wb.check("L03.E3")
if another_hint:
    wb.hint("L03.E3")
# %% [markdown] lang="en" minutes=15
# ## Zeros
#
# Pruning sets the smallest weights to zero. A zero costs nothing to multiply, says intuition, and nothing to store. We take `fast`, the small network that the next labs serve, and give up nine weights in ten, the smallest of the whole network. **What percentage of the digits does it still read, before any further training?**
# %% [markdown] lang="fr" minutes=15
# ## Des zéros
#
# L'élagage met à zéro les plus petits poids. Un zéro ne coûte rien à multiplier, dit l'intuition, ni à stocker. Prenons `fast`, le petit réseau que servent les labs suivants, et abandonnons neuf poids sur dix, les plus petits de tout le réseau. **Quel pourcentage des chiffres lit-il encore, avant tout réentraînement ?**
# %% tags=["predict"]
wb.bet("L03.B5", value=..., unit="%", confidence=...)
# %% tags=["demo"]
wb.require("L03.B5")


def masks_for(weights, share):
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    return [(weight.detach().abs() > sizes.quantile(share)).float() for weight in weights]


def put_zeros_back(weights, masks):
    with torch.no_grad():
        for weight, mask in zip(weights, masks):
            weight.mul_(mask)


curve = [["share of zeros", "read before training on"]]
for share in (0.0, 0.5, 0.7, 0.9):
    network = tools.load_fast()
    weights = tools.weights_of(network)
    put_zeros_back(weights, masks_for(weights, share))
    curve.append([f"{share:.0%}", f"{tools.count_right_torch(network, *held_out) / 360:.1%}"])
    print(*curve[-1])
tools.export(network, scratch / "zeros.onnx")
# %% tags=["myth"]
wb.require("L03.B5")
calls = {"dense": tools.caller(models / "fast.onnx", one), "sparse": tools.caller(scratch / "zeros.onnx", one)}
sparse = wb.measure(calls, id="sparse")
thin = tools.narrow(tools.load_fast(), 0.5)  # half the filters of each layer, cut out
tools.train(thin, digits, 1 if fast else 8, lambda: None)
tools.export(thin, scratch / "thin.onnx")
slim = wb.measure({"dense": calls["dense"], "thin": tools.caller(scratch / "thin.onnx", one)}, id="thin")
zipped = {path.name: len(gzip.compress(path.read_bytes())) for path in (models / "fast.onnx", scratch / "zeros.onnx")}
print({name: f"{size / zipped['fast.onnx']:.0%} of the gzipped bytes" for name, size in zipped.items()})
wb.myth("L03.M4", sentence="« 50–90 % des poids supprimables »", verdict="ça dépend", measured=sparse, condition={
    "en": "Zeros shrink the gzipped file and nothing else. Cutting filters out (the duel `thin`) is what makes it faster.",
    "fr": "Les zéros réduisent le fichier gzip et rien d'autre. C'est en retirant des filtres (duel `thin`) qu'on accélère."})
read = 100 * tools.count_right(scratch / "zeros.onnx", *held_out) / 360
wb.myth("L03.M5", sentence="« Fine-tuning nécessaire après »", verdict="ça dépend", measured=read, unit="%", condition={
    "en": "At nine zeros in ten it guesses until trained on; at five in ten it reads nearly everything at once.",
    "fr": "À neuf zéros sur dix, il devine tant qu'on ne le réentraîne pas ; à cinq sur dix, il lit presque tout."})  # fmt: skip
slim
# %% [markdown] lang="en" tags=["explain"]
# At 50 % little is lost; at 90 % the network guesses. "Fine-tuning needed after" is true at high shares, needless at low ones.
#
# The pruned file weighs as much as before: a zero takes 4 bytes like any number. gzip finds the runs of zeros; a processor that multiplies blocks does not. So three things get mixed up: **sparsity** (how many zeros), **size** (bytes on disk or on the wire) and **speed**. Structured pruning, which cuts whole filters out, changes shapes, and shapes are what costs time.
# %% [markdown] lang="fr" tags=["explain"]
# À 50 %, peu se perd ; à 90 %, le réseau devine. « Fine-tuning nécessaire après » est vrai aux fortes proportions, inutile aux faibles.
#
# Le fichier élagué pèse autant qu'avant : un zéro prend 4 octets comme tout nombre. gzip trouve les suites de zéros ; un processeur qui multiplie par blocs, non. On mélange donc trois choses : la **parcimonie** (combien de zéros), la **taille** (octets sur disque ou sur le réseau) et la **vitesse**. L'élagage structuré, qui retire des filtres entiers, change les formes, et ce sont les formes qui coûtent du temps.
# %% [markdown] lang="en"
# **Exercise E4.** Prune `fast` at 90 %, train it on (`tools.train`, 6 epochs or more) without waking the zeros up, and write `artifacts/pruned.safetensors`. The sizes are noted with the next exercise, once both files exist.
# %% [markdown] lang="fr"
# **Exercice E4.** Élaguez `fast` à 90 %, réentraînez-le (`tools.train`, 6 époques ou plus) sans réveiller les zéros, et écrivez `artifacts/pruned.safetensors`. Les tailles se notent avec l'exercice suivant, quand les deux fichiers existent.
# %% id="L03.E4" tags=["exercise"] items=["prune.sparsity", "prune.acc"]
pruned = tools.load_fast()
weights = tools.weights_of(pruned)
# >>> solution
# keep: # tools.train calls a function of yours after every step: what must happen there?
masks = masks_for(weights, 0.9)
put_zeros_back(weights, masks)
tools.train(pruned, digits, 6 if fast else 12, lambda: put_zeros_back(weights, masks))
save_file({name: tensor.contiguous() for name, tensor in pruned.state_dict().items()}, out / "pruned.safetensors")
# <<< solution
print(f"{tools.count_right_torch(pruned, *held_out) / 360:.1%}")
# %% tags=["check"]
wb.check("L03.E4")
if another_hint:
    wb.hint("L03.E4")
# %% [markdown] lang="en" minutes=15
# ## Compile, and in which order
#
# Last line of the slide: compile the graph for the target. The ONNX (Open Neural Network Exchange) runtime does so when it opens a file; OpenVINO is Intel's compiler for its processors (and others). Same file, same thread, default settings. **How many times as fast is OpenVINO on the fp32 CNN?**
# %% [markdown] lang="fr" minutes=15
# ## Compiler, et dans quel ordre
#
# Dernière ligne de la diapositive : compiler le graphe pour la cible. Le moteur ONNX (format d'échange ouvert de réseaux de neurones, *Open Neural Network Exchange*) le fait en ouvrant le fichier ; OpenVINO est le compilateur d'Intel pour ses processeurs (et d'autres). Même fichier, même fil, réglages par défaut. **Combien de fois plus rapide est OpenVINO sur le CNN fp32 ?**
# %% tags=["predict"]
wb.bet("L03.B6", value=..., unit="x", confidence=...)
# %% tags=["myth"]
plain = models / "cnn384.onnx"
engines = {
    "onnxruntime": tools.caller(plain, one),
    "openvino": tools.openvino_caller(plain, one),
    "openvino_f32": tools.openvino_caller(plain, one, "f32"),
}
openvino = wb.measure(engines, id="openvino", bet="L03.B6")
answers = {name: run()[1] for name, run in engines.items()}
for name, probabilities in answers.items():
    print(name, f"differs by {np.abs(probabilities - answers['onnxruntime']).max():.1e}")
wb.myth("L03.M6", sentence="« OpenVINO — CPU Intel »", verdict="ça dépend", measured=openvino, condition={
    "en": "On processors with bfloat16 the default computes in it without a word; compare at f32, and look at the answers.",
    "fr": "Sur un processeur à bfloat16, le réglage par défaut l'emploie sans le dire ; comparez en f32, et regardez les réponses."})
tools.prepare(models / "fast.onnx", scratch / "fast.onnx")
quantize_static(scratch / "fast.onnx", scratch / "fast_static.onnx", Rows(training), per_channel=True, **signed)
tools.prune_int8(scratch / "fast_static.onnx", 0.9, scratch / "backwards.onnx")
read = 100 * tools.count_right(scratch / "backwards.onnx", *held_out) / 360
wb.myth("L03.M7", sentence="« Quantization → Pruning → Compilation »", verdict="faux", measured=read, unit="%", condition={
    "en": "Int8 weights cannot be trained on: pruned last, the network guesses. Prune, train on, quantize, compile.",
    "fr": "On ne réentraîne pas des poids int8 : élagué en dernier, le réseau devine. Élaguer, réentraîner, quantifier, compiler."})  # fmt: skip
levels = {level: tools.caller(scratch / "cnn_static.onnx", one, level) for level in tools.LEVELS}
wb.measure({"fp32": engines["onnxruntime"], **levels}, id="levels")
# %% [markdown] lang="en" tags=["explain"]
# Compare the three rows *and* the differences. Where the default's answers differ thousands of times more than those of f32, OpenVINO rounded to bfloat16, 16 bits, silently: its lead was bought with precision. At f32 the duel is nearly even.
#
# The last table is ONNX Runtime against itself: below `extended`, the pairs of the QDQ form are not fused, and int8 is *slower* than fp32. Optimised by default is not optimised always.
#
# And the order? Fine-tuning needs floats, and a zero stays exactly zero in int8: prune first.
# %% [markdown] lang="fr" tags=["explain"]
# Comparez les trois lignes *et* les écarts. Là où les réponses par défaut s'écartent des milliers de fois plus que celles de f32, OpenVINO a arrondi en bfloat16, 16 bits, en silence : son avance est payée en précision. En f32, le duel est presque nul.
#
# Le dernier tableau oppose ONNX Runtime à lui-même : sous `extended`, les paires de la forme QDQ ne sont pas fusionnées, et l'int8 est *plus lent* que le fp32. Optimisé par défaut n'est pas optimisé toujours.
#
# Et l'ordre ? Le réentraînement veut des flottants, et un zéro reste exactement zéro en int8 : on élague d'abord.
# %% [markdown] lang="en"
# **Exercise E5.** Export the pruned network, quantize it statically to `artifacts/pruned_int8.onnx`, and note the sizes of both pruned files, raw and gzipped, under `sizes`. Then judge the two duels that have no verdict yet: `sparse` and `openvino`.
# %% [markdown] lang="fr"
# **Exercice E5.** Exportez le réseau élagué, quantifiez-le statiquement vers `artifacts/pruned_int8.onnx`, et notez les tailles des deux fichiers élagués, brutes et gzip, sous `sizes`. Jugez ensuite les deux duels encore sans verdict : `sparse` et `openvino`.
# %% id="L03.E5" tags=["exercise"] items=["order", "prune.size", "speed.honest"]
# >>> solution
# keep: # tools.export(pruned, ...), tools.prepare(...), quantize_static(...)
tools.export(pruned, scratch / "pruned_raw.onnx")
tools.prepare(scratch / "pruned_raw.onnx", scratch / "pruned.onnx")
quantize_static(scratch / "pruned.onnx", out / "pruned_int8.onnx", Rows(training), per_channel=True, **signed)
contents = {name: (out / name).read_bytes() for name in ("pruned.safetensors", "pruned_int8.onnx")}
wb.note("sizes", {name: {"raw": len(data), "gzip": len(gzip.compress(data))} for name, data in contents.items()})
judge(sparse, "dense", "sparse")
judge(openvino, "onnxruntime", "openvino", "openvino_f32")
# <<< solution
# %% tags=["check"]
wb.check("L03.E5")
if another_hint:
    wb.hint("L03.E5")
# %% [markdown] lang="en" minutes=13
# ## Three cards, and without looking back
#
# **TensorRT** compiles for NVIDIA cards: it times kernels on the very card and keeps the winners in a plan. **CoreML** is Apple's format: one converts a model with `coremltools`, and only Apple's systems run the result. **MediaPipe** is Google's set of vision pipelines for phones and pages. None runs on the course's machine: answer from what you read, in the next cell.
#
# 1. Which of the three promises held, on which network, on which processor?
# 2. Why does a file with nine zeros in ten weigh as much, and run as slowly?
# 3. Which two things would you check before believing that a compiler is faster?
#
# **What would you tell the data scientist?** One sentence about a calibration set.
#
# Next: lab 04, the service at the counter.
# %% [markdown] lang="fr" minutes=13
# ## Trois fiches, et sans regarder en arrière
#
# **TensorRT** compile pour les cartes NVIDIA : il chronomètre des noyaux sur la carte même et garde les gagnants dans un plan. **CoreML** est le format d'Apple : on convertit un modèle avec `coremltools`, et seuls les systèmes d'Apple exécutent le résultat. **MediaPipe** est la collection de Google de chaînes de vision pour téléphones et pages. Aucun ne tourne sur la machine du cours : répondez d'après ce que vous lisez, dans la cellule suivante.
#
# 1. Laquelle des trois promesses a tenu, sur quel réseau, sur quel processeur ?
# 2. Pourquoi un fichier à neuf zéros sur dix pèse-t-il autant, et va-t-il aussi lentement ?
# 3. Quelles deux choses vérifieriez-vous avant de croire qu'un compilateur est plus rapide ?
#
# **Que diriez-vous à la data scientist ?** Une phrase sur un jeu de calibration.
#
# Ensuite : le lab 04, le service au guichet.
# %% tags=["demo"]
cards = {
    "L03.Q1": {"en": ["any machine", "the same kind of card and version", "any NVIDIA card"],
               "fr": ["toute machine", "le même type de carte, la même version", "toute carte NVIDIA"]},
    "L03.Q2": {"en": ["the int8 ONNX file", "the fp32 ONNX file", "the PyTorch network"],
               "fr": ["le fichier ONNX int8", "le fichier ONNX fp32", "le réseau PyTorch"]},
    "L03.Q3": {"en": ["ready-made vision pipelines", "a compiler for ONNX", "another ONNX runtime"],
               "fr": ["des chaînes de vision toutes prêtes", "un compilateur pour ONNX", "un autre moteur ONNX"]},
}  # fmt: skip
asks = {
    "L03.Q1": {"en": "Where does a TensorRT plan run?", "fr": "Où tourne un plan TensorRT ?"},
    "L03.Q2": {"en": "What does one convert to CoreML?", "fr": "Que convertit-on en CoreML ?"},
    "L03.Q3": {"en": "What is MediaPipe?", "fr": "Qu'est-ce que MediaPipe ?"},
}
for name in asks:  # give your answer in place of None, one card after the other
    wb.ask(name, cards[name], answer=None, text=asks[name])

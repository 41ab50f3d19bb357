# %% [markdown] lang="en"
# # The narrow door
#
# The counter's new door lets some parcels through and refuses others. Nobody wrote down the rule, and the queue grows. You find it, and you write it where a program can read it.
#
# **Objectives**
#
# - measure two ways of adding numbers
# - write a rule into a file
#
# **Prerequisites**: none.
#
# **Time**: 25 minutes
#
# **Hand in**: `rule.json`, `results.json`, `answers.json`
#
# **Last run**: 2026-11-22
# %% [markdown] lang="fr"
# # La porte étroite
#
# La nouvelle porte du guichet laisse passer certains colis et en refuse d'autres. Personne n'a noté la règle, et la file s'allonge. Vous la trouvez, et vous l'écrivez là où un programme peut la lire.
#
# **Objectifs**
#
# - mesurer deux façons d'additionner des nombres
# - écrire une règle dans un fichier
#
# **Prérequis** : aucun.
#
# **Durée** : 25 minutes
#
# **À rendre** : `rule.json`, `results.json`, `answers.json`
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
import json
from pathlib import Path

import numpy as np

import workbench as wb

wb.begin(lab="90-door", seed=seed, fast=fast, bets=bets, out_dir=out_dir, lang=lang, n_repeats=n_repeats)
chance = np.random.default_rng(seed)
sizes = chance.normal(size=1_000 if fast else 10_000)
parcels = json.loads((Path(data_dir) / "parcels.json").read_text())
# %% [markdown] lang="en" minutes=15
# ## How long does a sum take?
#
# A form sends 10,000 sizes. One Python loop, or one call of NumPy: which would you put behind it? An API (application programming interface) answers while somebody waits.
# %% [markdown] lang="fr"
# ## Combien de temps prend une somme ?
#
# Un formulaire envoie 10 000 tailles. Une boucle en Python, ou un appel à NumPy : que mettriez-vous derrière ? Une interface de programmation (API, *application programming interface*) répond pendant que quelqu'un attend.
# %% tags=["predict"]
wb.bet("L90.B1", value=20.0, unit="x", confidence=60)
# %% tags=["myth"]
m = wb.measure({"loop": lambda: sum(float(size) for size in sizes), "numpy": sizes.sum}, bet="L90.B1", batch=1)
ratio = m.ratio("loop", "numpy")
wb.myth(
    "L90.M1",
    sentence="« Une boucle suffit toujours »",
    verdict="faux" if ratio > 2 else "vrai",
    condition={"en": "thousands of numbers, one core", "fr": "des milliers de nombres, un seul cœur"},
    measured=m,
)
# %% tags=["myth"]
widest = max(parcel["width"] for parcel in parcels if parcel["passed"])
wb.myth(
    "L90.M2",
    sentence="« Tout colis passe »",
    verdict="vrai" if all(parcel["passed"] for parcel in parcels) else "faux",
    condition={"en": "the parcels of the file", "fr": "les colis du fichier"},
    measured=float(widest),
)
# %% [markdown] lang="en" tags=["explain"]
# The loop makes one Python object for each number; NumPy makes none.
# %% [markdown] lang="fr"
# La boucle crée un objet Python par nombre ; NumPy n'en crée aucun.
# %% id="L90.E1" tags=["exercise"] minutes=5 items=["rule"]
# >>> solution
limit = max(parcel["width"] for parcel in parcels if parcel["passed"])
# keep: limit = max(...)
Path(out_dir, "rule.json").write_text(json.dumps({"widest": limit}))
# <<< solution
# %% [markdown] lang="en" tags=["hint-1"]
# Some parcels passed: what do they share?
# %% [markdown] lang="fr"
# Certains colis sont passés : qu'ont-ils en commun ?
# %% [markdown] lang="en" tags=["hint-2"]
# Look at `max` with a generator that keeps those with `passed`.
# %% [markdown] lang="fr"
# Regardez `max` avec un générateur qui garde ceux qui ont `passed`.
# %% [markdown] lang="en" tags=["hint-3"]
# `limit = max(parcel["width"] for parcel in ...)`, then write it.
# %% [markdown] lang="fr"
# `limit = max(parcel["width"] for parcel in ...)`, puis écrivez-le.
# %% tags=["check"]
wb.check("L90.E1")
# %% [markdown] lang="en" minutes=10
# ## Without looking back
#
# What does the door refuse? Next: [lab 01, on pickle](../../labs/01-pickle/README.md).
# %% [markdown] lang="fr"
# ## Sans regarder en arrière
#
# Que refuse la porte ? Ensuite : [le TP 01, sur pickle](../../labs/01-pickle/README.fr.md).
# %% tags=["demo"] stable=true
print(len(parcels), "parcels, each with", sorted(parcels[0]))

# %% [markdown] lang="en"
# # The narrow door
#
# The counter's new door lets some parcels through and refuses others. Nobody wrote down the rule. You measure it.
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
# **Last run**: 2026-11-20
# %% [markdown] lang="fr"
# # La porte étroite
#
# La nouvelle porte du guichet laisse passer certains colis et en refuse d'autres. Personne n'a noté la règle. Vous la mesurez.
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
# **Dernière exécution** : 2026-11-20
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

wb.begin(lab="90-tiny", seed=seed, fast=fast, bets=bets, out_dir=out_dir, lang=lang, n_repeats=n_repeats)
chance = np.random.default_rng(seed)
sizes = chance.normal(size=1_000 if fast else 10_000)
limit = json.loads((Path(data_dir) / "limit.json").read_text())["limit"]
# %% [markdown] lang="en" minutes=13
# ## How long does a sum take?
#
# A form sends thousands of sizes. A loop in Python, or one call of NumPy: which one would you put behind a web form?
# %% [markdown] lang="fr" minutes=13
# ## Combien de temps prend une somme ?
#
# Un formulaire envoie des milliers de tailles. Une boucle en Python, ou un seul appel à NumPy : que mettriez-vous derrière un formulaire web ?
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
# %% [markdown] lang="en"
# The loop makes one Python object for each number; NumPy makes none.
# %% [markdown] lang="fr"
# La boucle crée un objet Python par nombre ; NumPy n'en crée aucun.
# %% id="L90.E1" tags=["exercise"] minutes=5 items=["rule"]
# >>> solution
widest = limit
# keep: widest = ...
Path(out_dir, "rule.json").write_text(json.dumps({"widest": widest}))
# <<< solution
# %% tags=["check"]
wb.check("L90.E1")
# %% [markdown] lang="en" minutes=12
# ## How many parcels are refused?
# %% [markdown] lang="fr" minutes=12
# ## Combien de colis sont refusés ?
# %% tags=["demo"] stable=true
print("parcels are an array of", sizes.ndim, "dimension")

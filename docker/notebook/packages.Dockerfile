# Everything of the notebook image but our own code. The first stage has the wheels and what pip leaves behind;
# only what it installed goes into the image.
FROM python:3.11-slim AS installed
COPY wheels /wheels
COPY wheels.txt prune.txt /
RUN pip install --no-index --find-links /wheels --no-deps --no-compile --prefix /installed --requirement /wheels.txt
WORKDIR /installed/lib/python3.11/site-packages
# Without a writable root nobody could compile later, and each import of PyTorch would take half a minute.
RUN grep -v '^#' /prune.txt | while read -r path; do rm -r ./$path || exit 1; done \
 && find . -name tests -type d -prune -exec rm -r {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash -x py312_ .

FROM python:3.11-slim
COPY --from=installed /installed /usr/local
# The base has no compiled standard library: each start of a kernel would compile a hundred modules of it again.
RUN python -m compileall -q --invalidation-mode unchecked-hash -x "/(test|lib2to3|idlelib)/" /usr/lib/python3.11
# A name for the user: some packages ask for it. All that they write of their own goes to /tmp, a tmpfs in the sandbox.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /bin/sh student
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
WORKDIR /work

"""`python -m grader` is the command `grader`: for callers that know which Python they mean."""

from grader.cli import main

if __name__ == "__main__":
    main()

"""`python -m thanosql` is the command `thanosql`."""

from thanosql.cli.main import main

if __name__ == "__main__":
    main(prog_name="thanosql")

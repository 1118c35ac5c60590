--# a slip in FROM
SELECT * FORM t
--| error: syntax error in the query at 'FORM'
--|   line 1  |   SELECT * FORM t
--|           |            ^^^^ did you mean 'FROM'?
--| SYNTAX_ERROR

--# a slip in WHERE
SELECT a FROM t WHRE a = 1
--| error: syntax error in the query at 'WHRE'
--|   line 1  |   SELECT a FROM t WHRE a = 1
--|           |                   ^^^^ did you mean 'WHERE'?
--| SYNTAX_ERROR

--# a slip in GROUP
SELECT a FROM t GRUOP BY a
--| error: syntax error in the query at 'GRUOP'
--|   line 1  |   SELECT a FROM t GRUOP BY a
--|           |                   ^^^^^ did you mean 'GROUP'?
--| SYNTAX_ERROR

--# a slip in ORDER
SELECT a FROM t ODER BY a
--| error: syntax error in the query at 'ODER'
--|   line 1  |   SELECT a FROM t ODER BY a
--|           |                   ^^^^ did you mean 'ORDER'?
--| SYNTAX_ERROR

--# a slip in LIMIT
SELECT a FROM t LIMTI 5
--| error: syntax error in the query at 'LIMTI'
--|   line 1  |   SELECT a FROM t LIMTI 5
--|           |                   ^^^^^ did you mean 'LIMIT'?
--| SYNTAX_ERROR

--# nothing after WHERE
SELECT * FROM t WHERE
--| error: syntax error in the query after 'WHERE'
--|   line 1  |   SELECT * FROM t WHERE
--|           |                   ^^^^^
--| SYNTAX_ERROR

--# nothing after FROM
SELECT * FROM
--| error: syntax error in the query after 'FROM'
--|   line 1  |   SELECT * FROM
--|           |            ^^^^ expected a table name
--| SYNTAX_ERROR

--# nothing after SELECT
SELECT
--| error: SELECT selects no columns
--|   line 1  |   SELECT
--|           |   ^^^^^^ expected columns, or *
--| SYNTAX_ERROR

--# no columns
SELECT FROM t
--| error: SELECT selects no columns
--|   line 1  |   SELECT FROM t
--|           |   ^^^^^^ expected columns, or *
--| SYNTAX_ERROR

--# an operator without its right side
SELECT a + FROM t
--| error: syntax error in the query at 'FROM'
--|   line 1  |   SELECT a + FROM t
--|           |              ^^^^
--| SYNTAX_ERROR

--# an alias of two words
SELECT a b c FROM t
--| error: syntax error in the query at 'c'
--|   line 1  |   SELECT a b c FROM t
--|           |              ^
--| SYNTAX_ERROR

--# ORDER without BY
SELECT a FROM t ORDER a
--| error: ORDER is not followed by BY
--|   line 1  |   SELECT a FROM t ORDER a
--|           |                         ^ expected 'BY'
--| SYNTAX_ERROR

--# CASE without END
SELECT CASE WHEN a THEN b FROM t
--| error: this CASE has no END
--|   line 1  |   SELECT CASE WHEN a THEN b FROM t
--|           |          ^^^^ expected 'END'
--| SYNTAX_ERROR

--# words that mean nothing
SELECT a FROM t banana split
--| error: syntax error in the query after 'split'
--|   line 1  |   SELECT a FROM t banana split
--|           |                          ^^^^^
--| SYNTAX_ERROR

--# the second line
SELECT a,
       b
FROM t
WHERE a == = 1
--| error: syntax error in the query at '='
--|   line 4  |   WHERE a == = 1
--|           |              ^
--| SYNTAX_ERROR

--# SELECT INTO
SELECT * INTO u FROM t
--| error: SELECT INTO is not supported; write CREATE TABLE u AS SELECT ...
--|   line 1  |   SELECT * INTO u FROM t
--|           |            ^^^^
--| SYNTAX_ERROR

--# a change in a common table expression
WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d
--| error: DELETE FROM cannot be used inside another statement
--|   line 1  |   WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d
--|           |              ^^^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# a parameter
SELECT * FROM t WHERE id = $1
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT * FROM t WHERE id = $1
--|           |                              ^^ expected a value
--| SYNTAX_ERROR

--# a named parameter
SELECT * FROM t WHERE id = :id
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT * FROM t WHERE id = :id
--|           |                              ^^^ expected a value
--| SYNTAX_ERROR

--# a question mark
SELECT * FROM t WHERE id = ?
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT * FROM t WHERE id = ?
--|           |                              ^ expected a value
--| SYNTAX_ERROR

--# reading a file
SELECT * FROM read_csv('/etc/passwd')
--| error: the table function 'read_csv' is not allowed; use COPY to load a file into a table
--|   line 1  |   SELECT * FROM read_csv('/etc/passwd')
--|           |                 ^^^^^^^^ known: generate_series, json_each, range, unnest
--| QUERY_REJECTED

--# reading a file, in a join
SELECT * FROM t JOIN read_parquet('x.parquet') p ON p.id = t.id
--| error: the table function 'read_parquet' is not allowed; use COPY to load a file into a table
--|   line 1  |   SELECT * FROM t JOIN read_parquet('x.parquet') p ON p.id = t.id
--|           |                        ^^^^^^^^^^^^ known: generate_series, json_each, range, unnest
--| QUERY_REJECTED

--# a table function of the engine
SELECT * FROM duckdb_settings()
--| error: the table function 'duckdb_settings' is not allowed; use COPY to load a file into a table
--|   line 1  |   SELECT * FROM duckdb_settings()
--|           |                 ^^^^^^^^^^^^^^^ known: generate_series, json_each, range, unnest
--| QUERY_REJECTED

--# a schema
SELECT * FROM information_schema.tables
--| error: 'information_schema.tables' names a schema; there are no schemas here
--|   line 1  |   SELECT * FROM information_schema.tables
--|           |                 ^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean 'LIST TABLE'?
--| INVALID_NAME

--# a reserved name
SELECT * FROM __nested_1
--| error: the name '__nested_1' is reserved
--|   line 1  |   SELECT * FROM __nested_1
--|           |                 ^^^^^^^^^^
--| INVALID_NAME

--# a query and another statement after AS
PRINT AUDIO AS (SELECT audio_path FROM t; DROP TABLE t)
--| error: ';' inside brackets: the '(' at line 1, column 16 is still open
--|   line 1  |   PRINT AUDIO AS (SELECT audio_path FROM t; DROP TABLE t)
--|           |                                           ^ expected ')'
--| SYNTAX_ERROR

--# a common table expression without a query
WITH a AS (SELECT 1)
--| error: syntax error in the query after ')'
--|   line 1  |   WITH a AS (SELECT 1)
--|           |                      ^
--| SYNTAX_ERROR

--# an error inside a string's line
SELECT 'a
b' FROM t WHER x = 1
--| error: syntax error in the query at 'WHER'
--|   line 2  |   b' FROM t WHER x = 1
--|           |             ^^^^ did you mean 'WHERE'?
--| SYNTAX_ERROR

--# a function that lacks what it needs
SELECT TIMESTAMP () FROM t
--| error: the query is not valid SQL
--|   line 1  |   SELECT TIMESTAMP () FROM t
--|           |   ^^^^^^^^^^^^^^^^^^^^^^^^^^
--| SYNTAX_ERROR

--# a comma too many
SELECT a,, b FROM t
--| error: there is nothing before this comma
--|   line 1  |   SELECT a,, b FROM t
--|           |            ^
--| SYNTAX_ERROR

--# a comma after the last column
SELECT a, FROM t
--| error: there is nothing after this comma
--|   line 1  |   SELECT a, FROM t
--|           |           ^
--| SYNTAX_ERROR

--# a comma before the first column
SELECT , a FROM t
--| error: there is nothing before this comma
--|   line 1  |   SELECT , a FROM t
--|           |          ^
--| SYNTAX_ERROR

--# a comma after the last table
SELECT * FROM t,
--| error: there is nothing after this comma
--|   line 1  |   SELECT * FROM t,
--|           |                  ^
--| SYNTAX_ERROR

--# a comma after the last table, with a condition
SELECT * FROM t, WHERE a = 1
--| error: there is nothing after this comma
--|   line 1  |   SELECT * FROM t, WHERE a = 1
--|           |                  ^
--| SYNTAX_ERROR

--# a comma after the last argument
SELECT round(a,) FROM t
--| error: there is nothing after this comma
--|   line 1  |   SELECT round(a,) FROM t
--|           |                 ^
--| SYNTAX_ERROR

--# a comma before the first argument
SELECT round(, 2) FROM t
--| error: there is nothing before this comma
--|   line 1  |   SELECT round(, 2) FROM t
--|           |                ^
--| SYNTAX_ERROR

--# a comma after the last value
SELECT * FROM t WHERE a IN (1, 2,)
--| error: there is nothing after this comma
--|   line 1  |   SELECT * FROM t WHERE a IN (1, 2,)
--|           |                                   ^
--| SYNTAX_ERROR

--# a comma after the last element
SELECT [1, 2,]
--| error: there is nothing after this comma
--|   line 1  |   SELECT [1, 2,]
--|           |               ^
--| SYNTAX_ERROR

--# a comma after the last row
VALUES (1), (2),
--| error: there is nothing after this comma
--|   line 1  |   VALUES (1), (2),
--|           |                  ^
--| SYNTAX_ERROR

--# a comma after ORDER BY
SELECT a FROM t ORDER BY , a
--| error: there is nothing before this comma
--|   line 1  |   SELECT a FROM t ORDER BY , a
--|           |                            ^
--| SYNTAX_ERROR

--# a comma after a nested statement
SELECT * FROM (PREDICT USING m AS SELECT a FROM t) p, WHERE a = 1
--| error: there is nothing after this comma
--|   line 1  |   SELECT * FROM (PREDICT USING m AS SELECT a FROM t) p, WHERE a = 1
--|           |                                                       ^
--| SYNTAX_ERROR

--# a comma inside a nested statement
SELECT * FROM (PREDICT USING m AS SELECT a,, b FROM t)
--| error: there is nothing before this comma
--|   line 1  |   SELECT * FROM (PREDICT USING m AS SELECT a,, b FROM t)
--|           |                                              ^
--| SYNTAX_ERROR

--# a lock
SELECT * FROM t FOR UPDATE
--| error: queries do not lock rows
--|   line 1  |   SELECT * FROM t FOR UPDATE
--|           |                   ^^^^^^^^^^
--| SYNTAX_ERROR

--# a lock that is shared
SELECT * FROM t FOR SHARE SKIP LOCKED
--| error: queries do not lock rows
--|   line 1  |   SELECT * FROM t FOR SHARE SKIP LOCKED
--|           |                   ^^^^^^^^^
--| SYNTAX_ERROR

--# a lock of MySQL
SELECT * FROM t LOCK IN SHARE MODE
--| error: queries do not lock rows
--|   line 1  |   SELECT * FROM t LOCK IN SHARE MODE
--|           |                   ^^^^^^^
--| SYNTAX_ERROR

--# a lock inside a query
SELECT substring(a FROM 1 FOR 2) FROM (SELECT a FROM t FOR NO KEY UPDATE) s
--| error: queries do not lock rows
--|   line 1  |   SELECT substring(a FROM 1 FOR 2) FROM (SELECT a FROM t FOR NO KEY UPDATE) s
--|           |                                                          ^^^^^^
--| SYNTAX_ERROR

--# a table hint
SELECT * FROM t WITH (NOLOCK)
--| error: table hints are not supported
--|   line 1  |   SELECT * FROM t WITH (NOLOCK)
--|           |                   ^^^^
--| SYNTAX_ERROR

--# SORT BY
SELECT a FROM t SORT BY a
--| error: SORT BY is not supported; use ORDER BY
--|   line 1  |   SELECT a FROM t SORT BY a
--|           |                   ^^^^^^^
--| SYNTAX_ERROR

--# FETCH with ties
SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS WITH TIES
--| error: FETCH does not support TIES
--|   line 1  |   SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS WITH TIES
--|           |                                                      ^^^^
--| SYNTAX_ERROR

--# FETCH of a share
SELECT a FROM t FETCH FIRST 5 PERCENT ROWS ONLY
--| error: FETCH does not support PERCENT
--|   line 1  |   SELECT a FROM t FETCH FIRST 5 PERCENT ROWS ONLY
--|           |                                 ^^^^^^^
--| SYNTAX_ERROR

--# a parameter after a remainder
SELECT 5 % 2 AS x FROM t WHERE y = ?
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT 5 % 2 AS x FROM t WHERE y = ?
--|           |                                      ^ expected a value
--| SYNTAX_ERROR

--# a parameter after a slice
SELECT text[1:2] FROM t WHERE y=?
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT text[1:2] FROM t WHERE y=?
--|           |                                   ^ expected a value
--| SYNTAX_ERROR

--# a named parameter after a slice
SELECT text[1:n] FROM t WHERE y = :y
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT text[1:n] FROM t WHERE y = :y
--|           |                                     ^^ expected a value
--| SYNTAX_ERROR

--# a numbered parameter after a remainder
SELECT a % 2 FROM t WHERE y = $12
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT a % 2 FROM t WHERE y = $12
--|           |                                 ^^^ expected a value
--| SYNTAX_ERROR

--# a parameter of a Python driver
SELECT a % 2 FROM t WHERE y = %(y)s
--| error: query parameters are not supported; write the value itself
--|   line 1  |   SELECT a % 2 FROM t WHERE y = %(y)s
--|           |                                 ^ expected a value
--| SYNTAX_ERROR

--# a schema and a database
SELECT * FROM a.b.c
--| error: 'a.b.c' names a schema; there are no schemas here
--|   line 1  |   SELECT * FROM a.b.c
--|           |                 ^^^^^
--| INVALID_NAME

--# a schema that everybody has
SELECT * FROM public.t
--| error: 'public.t' names a schema; there are no schemas here
--|   line 1  |   SELECT * FROM public.t
--|           |                 ^^^^^^^^ did you mean 't'?
--| INVALID_NAME

--# GROUP without BY
SELECT a FROM t GROUP a
--| error: GROUP is not followed by BY
--|   line 1  |   SELECT a FROM t GROUP a
--|           |                         ^ expected 'BY'
--| SYNTAX_ERROR

--# the inner CASE without END
SELECT CASE WHEN a THEN CASE WHEN b THEN 1 ELSE 2 END FROM t
--| error: this CASE has no END
--|   line 1  |   SELECT CASE WHEN a THEN CASE WHEN b THEN 1 ELSE 2 END FROM t
--|           |          ^^^^ expected 'END'
--| SYNTAX_ERROR

--# SELECT INTO a table of a schema
SELECT a INTO main.u FROM t
--| error: SELECT INTO is not supported; write CREATE TABLE u AS SELECT ...
--|   line 1  |   SELECT a INTO main.u FROM t
--|           |            ^^^^
--| SYNTAX_ERROR

--# nothing after INTO
SELECT 1 INTO
--| error: syntax error in the query after 'INTO'
--|   line 1  |   SELECT 1 INTO
--|           |            ^^^^ expected a table name
--| SYNTAX_ERROR

--# a string that is never closed
COPY t FROM 'data.csv
--| error: the quote ' is never closed
--|   line 1  |   COPY t FROM 'data.csv
--|           |               ^ expected the closing quote
--| SYNTAX_ERROR

--# a name that is never closed
SELECT * FROM "t WHERE a = 1
--| error: the quote " is never closed
--|   line 1  |   SELECT * FROM "t WHERE a = 1
--|           |                 ^ expected the closing quote
--| SYNTAX_ERROR

--# a dollar quote that is never closed
SELECT $$a;b
--| error: the quote $$ is never closed
--|   line 1  |   SELECT $$a;b
--|           |          ^^ expected $$
--| SYNTAX_ERROR

--# a tagged dollar quote closed by another tag
SELECT $a$ text $b$
--| error: the quote $a$ is never closed
--|   line 1  |   SELECT $a$ text $b$
--|           |          ^^^ expected $a$
--| SYNTAX_ERROR

--# a comment that is never closed
SELECT 1 /* and so on
--| error: the comment is never closed
--|   line 1  |   SELECT 1 /* and so on
--|           |            ^^ expected */
--| SYNTAX_ERROR

--# a nested comment closed once
SELECT 1 /* a /* b */
--| error: the comment is never closed
--|   line 1  |   SELECT 1 /* a /* b */
--|           |            ^^ expected */
--| SYNTAX_ERROR

--# an escape string that is never closed
SELECT E'a\'
--| error: the quote ' is never closed
--|   line 1  |   SELECT E'a\'
--|           |          ^^ expected the closing quote
--| SYNTAX_ERROR

--# a parenthesis that is never closed
SELECT count(a FROM t
--| error: '(' is never closed
--|   line 1  |   SELECT count(a FROM t
--|           |               ^ expected ')'
--| SYNTAX_ERROR

--# the inner parenthesis that is never closed
SELECT * FROM t WHERE (a = 1 AND (b = 2)
--| error: '(' is never closed
--|   line 1  |   SELECT * FROM t WHERE (a = 1 AND (b = 2)
--|           |                         ^ expected ')'
--| SYNTAX_ERROR

--# a parenthesis that closes nothing
SELECT a) FROM t
--| error: unmatched ')'
--|   line 1  |   SELECT a) FROM t
--|           |           ^
--| SYNTAX_ERROR

--# brackets that do not match
SELECT (a] FROM t
--| error: ']' where ')' was expected
--|   line 1  |   SELECT (a] FROM t
--|           |            ^
--| SYNTAX_ERROR

--# a semicolon inside parentheses
PRINT AUDIO AS (SELECT 1; DROP TABLE t)
--| error: ';' inside brackets: the '(' at line 1, column 16 is still open
--|   line 1  |   PRINT AUDIO AS (SELECT 1; DROP TABLE t)
--|           |                           ^ expected ')'
--| SYNTAX_ERROR

--# OPTIONS that are never closed
BUILD MODEL m USING b OPTIONS(epochs=1 AS SELECT * FROM t
--| error: '(' is never closed
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=1 AS SELECT * FROM t
--|           |                                ^ expected ')'
--| SYNTAX_ERROR

--# a quote in the third statement
LIST MODEL; LIST TABLE;
SELECT 'a
--| error: the quote ' is never closed
--|   line 2  |   SELECT 'a
--|           |          ^ expected the closing quote
--| SYNTAX_ERROR

--# typographic quotes around a path
COPY t FROM ‘data.csv’
--| error: ‘ is not a quotation mark here; use straight quotes
--|   line 1  |   COPY t FROM ‘data.csv’
--|           |               ^ expected ' around a string or " around a name
--| SYNTAX_ERROR

--# typographic double quotes
SELECT * FROM “My Table”
--| error: “ is not a quotation mark here; use straight quotes
--|   line 1  |   SELECT * FROM “My Table”
--|           |                 ^ expected ' around a string or " around a name
--| SYNTAX_ERROR

--# backticks
SELECT * FROM `t`
--| error: ` is not a quotation mark here; use straight quotes
--|   line 1  |   SELECT * FROM `t`
--|           |                 ^ expected ' around a string or " around a name
--| SYNTAX_ERROR

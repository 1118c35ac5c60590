--# AT VERSION without a number
SELECT * FROM t AT VERSION
--| error: AT VERSION lacks the number of a version
--|   line 1  |   SELECT * FROM t AT VERSION
--|           |                   ^^^^^^^^^^ expected a whole number from 1
--| SYNTAX_ERROR

--# AT VERSION and a word
SELECT * FROM t AT VERSION latest
--| error: 'latest' is not the number of a version
--|   line 1  |   SELECT * FROM t AT VERSION latest
--|           |                              ^^^^^^ expected a whole number from 1
--| SYNTAX_ERROR

--# AT VERSION 0
SELECT * FROM t AT VERSION 0
--| error: '0' is not the number of a version
--|   line 1  |   SELECT * FROM t AT VERSION 0
--|           |                              ^ expected a whole number from 1
--| SYNTAX_ERROR

--# AT VERSION with a sign
SELECT * FROM t AT VERSION -1
--| error: '-' is not the number of a version
--|   line 1  |   SELECT * FROM t AT VERSION -1
--|           |                              ^ expected a whole number from 1
--| SYNTAX_ERROR

--# AT VERSION with a fraction
SELECT * FROM t AT VERSION 1.5
--| error: '1.5' is not the number of a version
--|   line 1  |   SELECT * FROM t AT VERSION 1.5
--|           |                              ^^^ expected a whole number from 1
--| SYNTAX_ERROR

--# AT VERSION beyond every number
SELECT * FROM t AT VERSION 99999999999999999999
--| error: '99999999999999999999' is not the number of a version
--|   line 1  |   SELECT * FROM t AT VERSION 99999999999999999999
--|           |                              ^^^^^^^^^^^^^^^^^^^^ expected a whole number from 1
--| SYNTAX_ERROR

--# AT VERSION behind an alias
SELECT * FROM t AS x AT VERSION 3
--| error: AT VERSION follows no table here
--|   line 1  |   SELECT * FROM t AS x AT VERSION 3
--|           |                      ^^^^^^^^^^^^^^ expected table AT VERSION number, before any alias
--| SYNTAX_ERROR

--# AT VERSION behind a column
SELECT a, x AT VERSION 3 FROM t
--| error: AT VERSION follows no table here
--|   line 1  |   SELECT a, x AT VERSION 3 FROM t
--|           |             ^^^^^^^^^^^^^^ expected table AT VERSION number, before any alias
--| SYNTAX_ERROR

--# AT VERSION behind a subquery
SELECT * FROM (SELECT 1) x AT VERSION 3
--| error: AT VERSION follows no table here
--|   line 1  |   SELECT * FROM (SELECT 1) x AT VERSION 3
--|           |                            ^^^^^^^^^^^^^^ expected table AT VERSION number, before any alias
--| SYNTAX_ERROR

--# AT VERSION behind a schema
SELECT * FROM public.t AT VERSION 3
--| error: there are no schemas here; AT VERSION follows the name of a table
--|   line 1  |   SELECT * FROM public.t AT VERSION 3
--|           |                       ^^
--| INVALID_NAME

--# UPDATE at a version
UPDATE t SET a = b AT VERSION 3
--| error: AT VERSION follows no table here
--|   line 1  |   UPDATE t SET a = b AT VERSION 3
--|           |                    ^^^^^^^^^^^^^^ expected table AT VERSION number, before any alias
--| SYNTAX_ERROR

--# DELETE at a version
DELETE FROM t AT VERSION 3
--| error: syntax error at 'AT' in DELETE FROM
--|   line 1  |   DELETE FROM t AT VERSION 3
--|           |                 ^^ expected 'WHERE' or the end of the statement
--| SYNTAX_ERROR

--# INSERT into a version
INSERT INTO t AT VERSION 3 SELECT 1
--| error: syntax error at 'AT' in INSERT INTO
--|   line 1  |   INSERT INTO t AT VERSION 3 SELECT 1
--|           |                 ^^ expected '(' or a query or AS query
--| SYNTAX_ERROR

--# the name that stands for a version
SELECT * FROM __version_1_of_t
--| error: the name '__version_1_of_t' is reserved
--|   line 1  |   SELECT * FROM __version_1_of_t
--|           |                 ^^^^^^^^^^^^^^^^
--| INVALID_NAME

--# SHOW TABLE without VERSIONS
SHOW TABLE t
--| error: syntax error at 't' in SHOW TABLE
--|   line 1  |   SHOW TABLE t
--|           |              ^ expected 'VERSIONS'
--| SYNTAX_ERROR

--# SHOW TABLE VERSIONS without brackets
SELECT * FROM SHOW TABLE VERSIONS t
--| error: SHOW inside a query needs parentheses around it
--|   line 1  |   SELECT * FROM SHOW TABLE VERSIONS t
--|           |                 ^^^^ expected '(SHOW ...)'
--| SYNTAX_ERROR

--# SHOW TABLE VERSIONS of nothing
SHOW TABLE VERSIONS
--| error: SHOW TABLE VERSIONS is incomplete
--|   line 1  |   SHOW TABLE VERSIONS
--|           |                      ^ expected a table name
--| SYNTAX_ERROR

--# RESTORE without VERSION
RESTORE TABLE t TO 2
--| error: syntax error at '2' in RESTORE TABLE
--|   line 1  |   RESTORE TABLE t TO 2
--|           |                      ^ expected 'VERSION'
--| SYNTAX_ERROR

--# RESTORE to a fraction
RESTORE TABLE t TO VERSION 2.5
--| error: '2.5' is not the number of a version
--|   line 1  |   RESTORE TABLE t TO VERSION 2.5
--|           |                              ^^^ expected a whole number from 1
--| SYNTAX_ERROR

--# RESTORE to a string
RESTORE TABLE t TO VERSION '2'
--| error: syntax error at '2' in RESTORE TABLE
--|   line 1  |   RESTORE TABLE t TO VERSION '2'
--|           |                              ^^^ expected a number
--| SYNTAX_ERROR

--# RESTORE inside a query
SELECT * FROM (RESTORE TABLE t TO VERSION 2)
--| error: RESTORE TABLE cannot be used inside another statement
--|   line 1  |   SELECT * FROM (RESTORE TABLE t TO VERSION 2)
--|           |                  ^^^^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# RESTORE a model
RESTORE MODEL m TO VERSION 2
--| error: syntax error at 'MODEL' in RESTORE
--|   line 1  |   RESTORE MODEL m TO VERSION 2
--|           |           ^^^^^ expected 'TABLE'
--| SYNTAX_ERROR

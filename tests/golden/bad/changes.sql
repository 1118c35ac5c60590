--# CREATE without TABLE
CREATE t AS SELECT 1
--| error: syntax error at 't' in CREATE
--|   line 1  |   CREATE t AS SELECT 1
--|           |          ^ expected 'OR REPLACE' or 'TABLE'
--| SYNTAX_ERROR

--# CREATE TABLE without a query
CREATE TABLE t
--| error: CREATE TABLE is incomplete
--|   line 1  |   CREATE TABLE t
--|           |                 ^ expected AS query
--| SYNTAX_ERROR

--# both ways to treat what exists
CREATE OR REPLACE TABLE IF NOT EXISTS t AS SELECT 1
--| error: OR REPLACE and IF NOT EXISTS contradict each other
--|   line 1  |   CREATE OR REPLACE TABLE IF NOT EXISTS t AS SELECT 1
--|           |   ^^^^^^^^^ expected one of them
--| SYNTAX_ERROR

--# CREATE IF EXISTS
CREATE TABLE IF EXISTS t AS SELECT 1
--| error: syntax error at 'EXISTS' in CREATE TABLE
--|   line 1  |   CREATE TABLE IF EXISTS t AS SELECT 1
--|           |                   ^^^^^^ expected 'NOT'
--| SYNTAX_ERROR

--# a table with a schema
CREATE TABLE main.t AS SELECT 1
--| error: syntax error at '.' in CREATE TABLE: there are no schemas here
--|   line 1  |   CREATE TABLE main.t AS SELECT 1
--|           |                    ^ expected AS query
--| SYNTAX_ERROR

--# INSERT without INTO
INSERT t VALUES (1)
--| error: syntax error at 't' in INSERT
--|   line 1  |   INSERT t VALUES (1)
--|           |          ^ expected 'INTO'
--| SYNTAX_ERROR

--# INSERT without rows
INSERT INTO t
--| error: INSERT INTO is incomplete
--|   line 1  |   INSERT INTO t
--|           |                ^ expected '(' or a query or AS query
--| SYNTAX_ERROR

--# INSERT with a slip
INSERT INTO t VALUE (1)
--| error: syntax error at 'VALUE' in INSERT INTO
--|   line 1  |   INSERT INTO t VALUE (1)
--|           |                 ^^^^^ did you mean 'VALUES'?
--| SYNTAX_ERROR

--# a column named twice
INSERT INTO t (a, A) VALUES (1, 2)
--| error: column 'A' is named twice
--|   line 1  |   INSERT INTO t (a, A) VALUES (1, 2)
--|           |                     ^
--| SYNTAX_ERROR

--# INSERT with no columns
INSERT INTO t () VALUES (1)
--| error: syntax error at ')' in INSERT INTO
--|   line 1  |   INSERT INTO t () VALUES (1)
--|           |                  ^ expected a column name
--| SYNTAX_ERROR

--# INSERT that answers rows
INSERT INTO t VALUES (1) RETURNING *
--| error: RETURNING is not supported
--|   line 1  |   INSERT INTO t VALUES (1) RETURNING *
--|           |                            ^^^^^^^^^
--| SYNTAX_ERROR

--# UPDATE without SET
UPDATE t text = 'a'
--| error: syntax error at 'text' in UPDATE
--|   line 1  |   UPDATE t text = 'a'
--|           |            ^^^^ expected 'SET'
--| SYNTAX_ERROR

--# UPDATE without assignments
UPDATE t SET
--| error: UPDATE is incomplete
--|   line 1  |   UPDATE t SET
--|           |               ^ expected column = expression
--| SYNTAX_ERROR

--# a comparison for an assignment
UPDATE t SET text > 'a'
--| error: this is not an assignment
--|   line 1  |   UPDATE t SET text > 'a'
--|           |                ^^^^^^^^^^ expected column = expression
--| SYNTAX_ERROR

--# a column set twice
UPDATE t SET a = 1, A = 2
--| error: column 'A' is set twice
--|   line 1  |   UPDATE t SET a = 1, A = 2
--|           |                       ^
--| SYNTAX_ERROR

--# UPDATE FROM
UPDATE t SET a = u.a FROM u WHERE u.id = t.id
--| error: UPDATE ... FROM is not supported
--|   line 1  |   UPDATE t SET a = u.a FROM u WHERE u.id = t.id
--|           |                        ^^^^
--| SYNTAX_ERROR

--# UPDATE with a subquery
UPDATE t SET a = (SELECT max(a) FROM u)
--| error: a query cannot be used here; use CREATE OR REPLACE TABLE t AS SELECT ...
--|   line 1  |   UPDATE t SET a = (SELECT max(a) FROM u)
--|           |                     ^^^^^^ expected column = expression
--| SYNTAX_ERROR

--# DELETE without FROM
DELETE t WHERE a = 1
--| error: syntax error at 't' in DELETE
--|   line 1  |   DELETE t WHERE a = 1
--|           |          ^ expected 'FROM' or 'MODEL' or 'TRANSCRIPTS'
--| SYNTAX_ERROR

--# DELETE without a condition after WHERE
DELETE FROM t WHERE
--| error: DELETE FROM is incomplete
--|   line 1  |   DELETE FROM t WHERE
--|           |                      ^ expected a condition
--| SYNTAX_ERROR

--# DELETE with a subquery
DELETE FROM t WHERE id IN (SELECT id FROM u)
--| error: a query cannot be used here; use CREATE OR REPLACE TABLE t AS SELECT ...
--|   line 1  |   DELETE FROM t WHERE id IN (SELECT id FROM u)
--|           |                              ^^^^^^ expected a condition
--| SYNTAX_ERROR

--# DELETE USING
DELETE FROM t USING u WHERE u.id = t.id
--| error: syntax error at 'USING' in DELETE FROM
--|   line 1  |   DELETE FROM t USING u WHERE u.id = t.id
--|           |                 ^^^^^ expected 'WHERE' or the end of the statement
--| SYNTAX_ERROR

--# DELETE that answers rows
DELETE FROM t WHERE a = 1 RETURNING *
--| error: DELETE ... RETURNING is not supported
--|   line 1  |   DELETE FROM t WHERE a = 1 RETURNING *
--|           |                             ^^^^^^^^^
--| SYNTAX_ERROR

--# DROP several
DROP TABLE a, b
--| error: syntax error at ',' after the end of DROP TABLE
--|   line 1  |   DROP TABLE a, b
--|           |               ^ expected the end of the statement
--| SYNTAX_ERROR

--# DROP CASCADE
DROP TABLE t CASCADE
--| error: syntax error at 'CASCADE' after the end of DROP TABLE
--|   line 1  |   DROP TABLE t CASCADE
--|           |                ^^^^^^^ expected the end of the statement
--| SYNTAX_ERROR

--# DROP without a name
DROP TABLE IF EXISTS
--| error: DROP TABLE is incomplete
--|   line 1  |   DROP TABLE IF EXISTS
--|           |                       ^ expected a table name
--| SYNTAX_ERROR

--# ALTER without an action
ALTER TABLE t
--| error: ALTER TABLE is incomplete
--|   line 1  |   ALTER TABLE t
--|           |                ^ expected 'ADD' or 'DROP' or 'RENAME'
--| SYNTAX_ERROR

--# an action that is none
ALTER TABLE t MODIFY COLUMN a TEXT
--| error: syntax error at 'MODIFY' in ALTER TABLE
--|   line 1  |   ALTER TABLE t MODIFY COLUMN a TEXT
--|           |                 ^^^^^^ expected 'ADD' or 'DROP' or 'RENAME'
--| SYNTAX_ERROR

--# a column without a type
ALTER TABLE t ADD COLUMN a
--| error: ALTER TABLE is incomplete
--|   line 1  |   ALTER TABLE t ADD COLUMN a
--|           |                             ^ expected a type such as VARCHAR
--| SYNTAX_ERROR

--# a type that is none
ALTER TABLE t ADD COLUMN a banana
--| error: a new column takes a name and a type, and nothing else
--|   line 1  |   ALTER TABLE t ADD COLUMN a banana
--|           |                              ^^^^^^ expected a type such as VARCHAR
--| SYNTAX_ERROR

--# a default
ALTER TABLE t ADD COLUMN a INTEGER DEFAULT 5
--| error: a new column takes a name and a type, and nothing else
--|   line 1  |   ALTER TABLE t ADD COLUMN a INTEGER DEFAULT 5
--|           |                              ^^^^^^^^^^^^^^^^^ expected a type such as VARCHAR
--| SYNTAX_ERROR

--# RENAME without TO
ALTER TABLE t RENAME COLUMN a b
--| error: syntax error at 'b' in ALTER TABLE
--|   line 1  |   ALTER TABLE t RENAME COLUMN a b
--|           |                                 ^ expected 'TO'
--| SYNTAX_ERROR

--# RENAME the table
ALTER TABLE t RENAME TO u
--| error: tables cannot be renamed; use CREATE TABLE new AS SELECT * FROM old, then DROP TABLE old
--|   line 1  |   ALTER TABLE t RENAME TO u
--|           |                        ^^ expected a column name
--| SYNTAX_ERROR

--# a comma after the last assignment
UPDATE t SET a = 1, WHERE b = 2
--| error: there is nothing after this comma
--|   line 1  |   UPDATE t SET a = 1, WHERE b = 2
--|           |                     ^
--| SYNTAX_ERROR

--# a comma after the last condition
DELETE FROM t WHERE a IN (1,)
--| error: there is nothing after this comma
--|   line 1  |   DELETE FROM t WHERE a IN (1,)
--|           |                              ^
--| SYNTAX_ERROR

--# two commas between rows
INSERT INTO t VALUES (1),, (2)
--| error: there is nothing before this comma
--|   line 1  |   INSERT INTO t VALUES (1),, (2)
--|           |                            ^
--| SYNTAX_ERROR

--# a parameter in a change
UPDATE t SET a = b % 2, c = ?
--| error: query parameters are not supported; write the value itself
--|   line 1  |   UPDATE t SET a = b % 2, c = ?
--|           |                               ^ expected a value
--| SYNTAX_ERROR

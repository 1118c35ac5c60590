--# create from a query
CREATE TABLE u AS SELECT * FROM t
--| CreateTableAs
--|   table: u
--|   query: SELECT * FROM t
--|     tables: t
--|   or_replace: False
--|   if_not_exists: False
--|   canonical: CREATE TABLE u AS SELECT * FROM t

--# create or replace
CREATE OR REPLACE TABLE u AS SELECT * FROM t
--| CreateTableAs
--|   table: u
--|   query: SELECT * FROM t
--|     tables: t
--|   or_replace: True
--|   if_not_exists: False
--|   canonical: CREATE OR REPLACE TABLE u AS SELECT * FROM t

--# create if there is none
CREATE TABLE IF NOT EXISTS u AS (SELECT * FROM t)
--| CreateTableAs
--|   table: u
--|   query: SELECT * FROM t
--|     tables: t
--|   or_replace: False
--|   if_not_exists: True
--|   canonical: CREATE TABLE IF NOT EXISTS u AS SELECT * FROM t

--# create from values
CREATE TABLE u AS VALUES (1, 'a')
--| CreateTableAs
--|   table: u
--|   query: SELECT * FROM (VALUES (1, 'a'))
--|   or_replace: False
--|   if_not_exists: False
--|   canonical: CREATE TABLE u AS VALUES (1, 'a')

--# create a quoted table
CREATE TABLE "My Table" AS SELECT 1 AS one
--| CreateTableAs
--|   table: My Table
--|   query: SELECT 1 AS one
--|   or_replace: False
--|   if_not_exists: False
--|   canonical: CREATE TABLE "My Table" AS SELECT 1 AS one

--# insert values
INSERT INTO t VALUES (1, 'a'), (2, NULL)
--| Insert
--|   table: t
--|   query: SELECT * FROM (VALUES (1, 'a'), (2, NULL))
--|   canonical: INSERT INTO t AS VALUES (1, 'a'), (2, NULL)

--# insert values into columns
INSERT INTO t (id, "Text") VALUES (1, 'a')
--| Insert
--|   table: t
--|   query: SELECT * FROM (VALUES (1, 'a'))
--|   columns: id, Text
--|   canonical: INSERT INTO t (id, Text) AS VALUES (1, 'a')

--# insert a query
INSERT INTO t SELECT * FROM u WHERE id > 3
--| Insert
--|   table: t
--|   query: SELECT * FROM u WHERE id > 3
--|     tables: u
--|   canonical: INSERT INTO t AS SELECT * FROM u WHERE id > 3

--# insert a query after AS
INSERT INTO t AS SELECT * FROM u
--| Insert
--|   table: t
--|   query: SELECT * FROM u
--|     tables: u
--|   canonical: INSERT INTO t AS SELECT * FROM u

--# insert a query in parentheses
INSERT INTO t (SELECT * FROM u)
--| Insert
--|   table: t
--|   query: SELECT * FROM u
--|     tables: u
--|   canonical: INSERT INTO t AS SELECT * FROM u

--# insert a query in parentheses into columns
INSERT INTO t (a) (SELECT a FROM u)
--| Insert
--|   table: t
--|   query: SELECT a FROM u
--|     tables: u
--|   columns: a
--|   canonical: INSERT INTO t (a) AS SELECT a FROM u

--# insert with a common table expression
INSERT INTO t WITH v AS (SELECT * FROM u) SELECT * FROM v
--| Insert
--|   table: t
--|   query: WITH v AS (SELECT * FROM u) SELECT * FROM v
--|     tables: u
--|   canonical: INSERT INTO t AS WITH v AS (SELECT * FROM u) SELECT * FROM v

--# update every row
UPDATE t SET text = lower(text)
--| Update
--|   table: t
--|   assignments: text := LOWER(text)
--|   condition: None
--|   canonical: UPDATE t SET text = lower(text)

--# update some rows
UPDATE t SET text = trim(text), seen = TRUE WHERE duration > 3 AND speaker IS NOT NULL
--| Update
--|   table: t
--|   assignments: text := TRIM(text), seen := TRUE
--|   condition: 'duration > 3 AND speaker IS NOT NULL'
--|   canonical: UPDATE t SET text = trim(text), seen = TRUE WHERE duration > 3 AND speaker IS NOT NULL

--# update a quoted column
UPDATE "My Table" SET "My Column" = 'it''s' WHERE "set" = 1
--| Update
--|   table: My Table
--|   assignments: My Column := "'it''s'"
--|   condition: '"set" = 1'
--|   canonical: UPDATE "My Table" SET "My Column" = 'it''s' WHERE "set" = 1

--# delete some rows
DELETE FROM t WHERE text = '' OR text ~ '^ +$'
--| Delete
--|   table: t
--|   condition: "text = '' OR REGEXP_MATCHES(text, '^ +$')"
--|   canonical: DELETE FROM t WHERE text = '' OR text ~ '^ +$'

--# delete every row
DELETE FROM t
--| Delete
--|   table: t
--|   condition: None
--|   canonical: DELETE FROM t

--# drop
DROP TABLE t
--| DropTable
--|   table: t
--|   if_exists: False
--|   canonical: DROP TABLE t

--# drop if it exists
DROP TABLE IF EXISTS "My Table"
--| DropTable
--|   table: My Table
--|   if_exists: True
--|   canonical: DROP TABLE IF EXISTS "My Table"

--# add a column
ALTER TABLE t ADD COLUMN score DOUBLE PRECISION
--| AlterTable
--|   table: t
--|   AddColumn
--|     column: score
--|     type: 'DOUBLE'
--|   canonical: ALTER TABLE t ADD COLUMN score DOUBLE PRECISION

--# add a column, the short way
ALTER TABLE t ADD score numeric(10, 2)
--| AlterTable
--|   table: t
--|   AddColumn
--|     column: score
--|     type: 'DECIMAL(10, 2)'
--|   canonical: ALTER TABLE t ADD COLUMN score numeric(10, 2)

--# add a list
ALTER TABLE t ADD COLUMN tags text[]
--| AlterTable
--|   table: t
--|   AddColumn
--|     column: tags
--|     type: 'TEXT[]'
--|   canonical: ALTER TABLE t ADD COLUMN tags text[]

--# add a time
ALTER TABLE t ADD COLUMN made timestamp with time zone
--| AlterTable
--|   table: t
--|   AddColumn
--|     column: made
--|     type: 'TIMESTAMPTZ'
--|   canonical: ALTER TABLE t ADD COLUMN made timestamp with time zone

--# drop a column
ALTER TABLE t DROP COLUMN score
--| AlterTable
--|   table: t
--|   DropColumn
--|     column: score
--|     if_exists: False
--|   canonical: ALTER TABLE t DROP COLUMN score

--# drop a column if it exists
ALTER TABLE t DROP IF EXISTS score
--| AlterTable
--|   table: t
--|   DropColumn
--|     column: score
--|     if_exists: True
--|   canonical: ALTER TABLE t DROP COLUMN IF EXISTS score

--# rename a column
ALTER TABLE t RENAME COLUMN a TO b
--| AlterTable
--|   table: t
--|   RenameColumn
--|     column: a
--|     new_name: b
--|   canonical: ALTER TABLE t RENAME COLUMN a TO b

--# rename a column, the short way
ALTER TABLE t RENAME "A b" TO c
--| AlterTable
--|   table: t
--|   RenameColumn
--|     column: A b
--|     new_name: c
--|   canonical: ALTER TABLE t RENAME COLUMN "A b" TO c

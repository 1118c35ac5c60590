--# expressions and aliases
SELECT a + 1 AS b, upper(text) FROM t
--| RunQuery
--|   query: SELECT a + 1 AS b, UPPER(text) FROM t
--|     tables: t
--|   canonical: SELECT a + 1 AS b, upper(text) FROM t

--# a semicolon at the end
SELECT 1;
--| RunQuery
--|   query: SELECT 1
--|   canonical: SELECT 1

--# a join
SELECT t.text, u.label FROM t JOIN u ON t.id = u.id LEFT JOIN v USING (id)
--| RunQuery
--|   query: SELECT t.text, u.label FROM t JOIN u ON t.id = u.id LEFT JOIN v USING (id)
--|     tables: t, u, v
--|   canonical: SELECT t.text, u.label FROM t JOIN u ON t.id = u.id LEFT JOIN v USING (id)

--# one table twice
SELECT a.text FROM t a, t b WHERE a.id < b.id
--| RunQuery
--|   query: SELECT a.text FROM t AS a, t AS b WHERE a.id < b.id
--|     tables: t
--|   canonical: SELECT a.text FROM t a, t b WHERE a.id < b.id

--# the same table in another case counts once
SELECT * FROM Recordings UNION ALL SELECT * FROM recordings
--| RunQuery
--|   query: SELECT * FROM Recordings UNION ALL SELECT * FROM recordings
--|     tables: Recordings
--|   canonical: SELECT * FROM Recordings UNION ALL SELECT * FROM recordings

--# common table expressions are no stored tables
WITH long AS (SELECT * FROM t WHERE duration > 10) SELECT count(*) FROM long JOIN u USING (id)
--| RunQuery
--|   query: WITH long AS (SELECT * FROM t WHERE duration > 10) SELECT COUNT(*) FROM long JOIN u USING (id)
--|     tables: t, u
--|   canonical: WITH long AS (SELECT * FROM t WHERE duration > 10) SELECT count(*) FROM long JOIN u USING (id)

--# a recursive one
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n
--| RunQuery
--|   query: WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n
--|   canonical: WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n

--# tables in subqueries
SELECT * FROM t WHERE id IN (SELECT id FROM u) AND EXISTS (SELECT 1 FROM v WHERE v.id = t.id)
--| RunQuery
--|   query: SELECT * FROM t WHERE id IN (SELECT id FROM u) AND EXISTS(SELECT 1 FROM v WHERE v.id = t.id)
--|     tables: t, u, v
--|   canonical: SELECT * FROM t WHERE id IN (SELECT id FROM u) AND EXISTS (SELECT 1 FROM v WHERE v.id = t.id)

--# a subquery as a value
SELECT (SELECT max(duration) FROM u) - duration AS rest FROM t
--| RunQuery
--|   query: SELECT (SELECT MAX(duration) FROM u) - duration AS rest FROM t
--|     tables: u, t
--|   canonical: SELECT (SELECT max(duration) FROM u) - duration AS rest FROM t

--# a lateral subquery
SELECT * FROM t CROSS JOIN LATERAL (SELECT * FROM u WHERE u.id = t.id LIMIT 1) AS first
--| RunQuery
--|   query: SELECT * FROM t CROSS JOIN LATERAL (SELECT * FROM u WHERE u.id = t.id LIMIT 1) AS first
--|     tables: t, u
--|   canonical: SELECT * FROM t CROSS JOIN LATERAL (SELECT * FROM u WHERE u.id = t.id LIMIT 1) AS first

--# window functions
SELECT id, row_number() OVER (PARTITION BY speaker ORDER BY duration DESC) AS place FROM t
--| RunQuery
--|   query: SELECT id, ROW_NUMBER() OVER (PARTITION BY speaker ORDER BY duration DESC NULLS FIRST) AS place FROM t
--|     tables: t
--|   canonical: SELECT id, row_number() OVER (PARTITION BY speaker ORDER BY duration DESC) AS place FROM t

--# grouping
SELECT speaker, avg(duration) FROM t GROUP BY speaker HAVING count(*) > 3 ORDER BY 2 DESC NULLS LAST LIMIT 10 OFFSET 5
--| RunQuery
--|   query: SELECT speaker, AVG(duration) FROM t GROUP BY speaker HAVING COUNT(*) > 3 ORDER BY 2 DESC LIMIT 10 OFFSET 5
--|     tables: t
--|   canonical: SELECT speaker, avg(duration) FROM t GROUP BY speaker HAVING count(*) > 3 ORDER BY 2 DESC NULLS LAST LIMIT 10 OFFSET 5

--# casts and regular expressions of PostgreSQL
SELECT id::text, duration::numeric(10, 2) FROM t WHERE text ~* '^the' AND text !~ 'x$'
--| RunQuery
--|   query: SELECT CAST(id AS TEXT), CAST(duration AS DECIMAL(10, 2)) FROM t WHERE REGEXP_MATCHES(text, '^the', 'i') AND NOT REGEXP_MATCHES(text, 'x$')
--|     tables: t
--|   canonical: SELECT id::text, duration::numeric(10, 2) FROM t WHERE text ~* '^the' AND text !~ 'x$'

--# string functions
SELECT string_agg(text, ' ' ORDER BY id), split_part(path, '/', 2), left(text, 3) FROM t
--| RunQuery
--|   query: SELECT LISTAGG(text, ' ' ORDER BY id), SPLIT_PART(path, '/', 2), LEFT(text, 3) FROM t
--|     tables: t
--|   canonical: SELECT string_agg(text, ' ' ORDER BY id), split_part(path, '/', 2), left(text, 3) FROM t

--# dates and intervals
SELECT * FROM t WHERE made > now() - interval '3 days' AND extract(year FROM made) = 2024
--| RunQuery
--|   query: SELECT * FROM t WHERE made > CURRENT_TIMESTAMP - INTERVAL '3' DAYS AND EXTRACT(YEAR FROM made) = 2024
--|     tables: t
--|   canonical: SELECT * FROM t WHERE made > now() - interval '3 days' AND extract(year FROM made) = 2024

--# json
SELECT meta ->> 'speaker' FROM t
--| RunQuery
--|   query: SELECT meta ->> '$.speaker' FROM t
--|     tables: t
--|   canonical: SELECT meta ->> 'speaker' FROM t

--# CASE
SELECT CASE WHEN duration > 10 THEN 'long' ELSE 'short' END AS kind FROM t
--| RunQuery
--|   query: SELECT CASE WHEN duration > 10 THEN 'long' ELSE 'short' END AS kind FROM t
--|     tables: t
--|   canonical: SELECT CASE WHEN duration > 10 THEN 'long' ELSE 'short' END AS kind FROM t

--# values
VALUES (1, 'a'), (2, 'b')
--| RunQuery
--|   query: SELECT * FROM (VALUES (1, 'a'), (2, 'b'))
--|   canonical: VALUES (1, 'a'), (2, 'b')

--# values in FROM
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, name)
--| RunQuery
--|   query: SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, name)
--|   canonical: SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, name)

--# a table on its own
TABLE t
--| RunQuery
--|   query: SELECT * FROM t
--|     tables: t
--|   canonical: TABLE t

--# parentheses around the query
(SELECT * FROM t)
--| RunQuery
--|   query: SELECT * FROM t
--|     tables: t
--|   canonical: SELECT * FROM t

--# parentheses in a union
(SELECT id FROM t ORDER BY id LIMIT 3) UNION ALL (SELECT id FROM u ORDER BY id LIMIT 3) ORDER BY id
--| RunQuery
--|   query: (SELECT id FROM t ORDER BY id LIMIT 3) UNION ALL (SELECT id FROM u ORDER BY id LIMIT 3) ORDER BY id
--|     tables: t, u
--|   canonical: (SELECT id FROM t ORDER BY id LIMIT 3) UNION ALL (SELECT id FROM u ORDER BY id LIMIT 3) ORDER BY id

--# quoted identifiers
SELECT "My Column", "with ""quotes""" FROM "My Table"
--| RunQuery
--|   query: SELECT "My Column", "with ""quotes""" FROM "My Table"
--|     tables: My Table
--|   canonical: SELECT "My Column", "with ""quotes""" FROM "My Table"

--# strings of every kind
SELECT 'it''s', E'a\'b\n', $$a;b$$, $x$ $$ $x$ FROM t
--| RunQuery
--|   query: SELECT 'it''s', e'a''b\n', 'a;b', ' $$ ' FROM t
--|     tables: t
--|   canonical: SELECT 'it''s', E'a\'b\n', $$a;b$$, $x$ $$ $x$ FROM t

--# a semicolon in a string and in a comment
SELECT ';' /* ; */ FROM t -- ; DROP TABLE t
--| RunQuery
--|   query: SELECT ';' FROM t
--|     tables: t
--|   canonical: SELECT ';' FROM t

--# nested comments
SELECT /* a /* b */ c */ 1
--| RunQuery
--|   query: SELECT 1
--|   canonical: SELECT 1

--# columns called like statements
SELECT list, predict, search, convert FROM t WHERE (list + 1) > 2 AND (search IS NULL) AND (predict AND convert)
--| RunQuery
--|   query: SELECT list, predict, search, convert FROM t WHERE (list + 1) > 2 AND (search IS NULL) AND (predict AND convert)
--|     tables: t
--|   canonical: SELECT list, predict, search, convert FROM t WHERE (list + 1) > 2 AND (search IS NULL) AND (predict AND convert)

--# a function called like a statement
SELECT list(search), list(DISTINCT predict) FROM t
--| RunQuery
--|   query: SELECT LIST(search), LIST(DISTINCT predict) FROM t
--|     tables: t
--|   canonical: SELECT list(search), list(DISTINCT predict) FROM t

--# generated rows
SELECT * FROM generate_series(1, 10) AS g(i)
--| RunQuery
--|   query: SELECT * FROM GENERATE_SERIES(1, 10) AS g(i)
--|   canonical: SELECT * FROM generate_series(1, 10) AS g(i)

--# unnest
SELECT word FROM t, unnest(string_to_array(text, ' ')) AS w(word)
--| RunQuery
--|   query: SELECT word FROM t JOIN UNNEST(STRING_TO_ARRAY(text, ' ')) AS w(word) ON TRUE
--|     tables: t
--|   canonical: SELECT word FROM t, unnest(string_to_array(text, ' ')) AS w(word)

--# distinct on
SELECT DISTINCT ON (speaker) speaker, text FROM t ORDER BY speaker, duration DESC
--| RunQuery
--|   query: SELECT DISTINCT ON (speaker) speaker, text FROM t ORDER BY speaker, duration DESC NULLS FIRST
--|     tables: t
--|   canonical: SELECT DISTINCT ON (speaker) speaker, text FROM t ORDER BY speaker, duration DESC

--# between and like
SELECT * FROM t WHERE duration BETWEEN 1 AND 2 AND text LIKE 'a%' AND text NOT ILIKE '%b'
--| RunQuery
--|   query: SELECT * FROM t WHERE duration BETWEEN 1 AND 2 AND text LIKE 'a%' AND text NOT ILIKE '%b'
--|     tables: t
--|   canonical: SELECT * FROM t WHERE duration BETWEEN 1 AND 2 AND text LIKE 'a%' AND text NOT ILIKE '%b'

--# no table at all
SELECT 1 + 1 AS two, now()
--| RunQuery
--|   query: SELECT 1 + 1 AS two, CURRENT_TIMESTAMP
--|   canonical: SELECT 1 + 1 AS two, now()

--# another script
SELECT 글 FROM 음성 WHERE 글 = '안녕하세요'
--| RunQuery
--|   query: SELECT 글 FROM 음성 WHERE 글 = '안녕하세요'
--|     tables: 음성
--|   canonical: SELECT 글 FROM 음성 WHERE 글 = '안녕하세요'

--# a byte order mark in front
﻿SELECT a FROM t
--| RunQuery
--|   query: SELECT a FROM t
--|     tables: t
--|   canonical: SELECT a FROM t

--# functions named like joins, after a comma
SELECT a, left(b, 1), right(b, 1) FROM t
--| RunQuery
--|   query: SELECT a, LEFT(b, 1), RIGHT(b, 1) FROM t
--|     tables: t
--|   canonical: SELECT a, left(b, 1), right(b, 1) FROM t

--# a column named like a word of ORDER
SELECT by, a FROM t
--| RunQuery
--|   query: SELECT "by", a FROM t
--|     tables: t
--|   canonical: SELECT by, a FROM t

--# FETCH
SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS ONLY
--| RunQuery
--|   query: SELECT a FROM t ORDER BY a LIMIT 5
--|     tables: t
--|   canonical: SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS ONLY

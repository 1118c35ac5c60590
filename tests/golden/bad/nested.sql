--# BUILD inside a query
SELECT * FROM (BUILD MODEL m USING b AS SELECT * FROM t)
--| error: BUILD MODEL cannot be used inside another statement
--|   line 1  |   SELECT * FROM (BUILD MODEL m USING b AS SELECT * FROM t)
--|           |                  ^^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# COPY inside a query
SELECT * FROM (COPY t FROM 'a.csv')
--| error: COPY cannot be used inside another statement
--|   line 1  |   SELECT * FROM (COPY t FROM 'a.csv')
--|           |                  ^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# DROP after AS
PRINT AUDIO AS DROP TABLE t
--| error: DROP TABLE cannot be used inside another statement
--|   line 1  |   PRINT AUDIO AS DROP TABLE t
--|           |                  ^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# COPY after AS
CREATE TABLE t AS COPY u FROM 'a.csv'
--| error: COPY cannot be used inside another statement
--|   line 1  |   CREATE TABLE t AS COPY u FROM 'a.csv'
--|           |                     ^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# no parentheses
SELECT * FROM PREDICT USING m AS SELECT * FROM t
--| error: PREDICT inside a query needs parentheses around it
--|   line 1  |   SELECT * FROM PREDICT USING m AS SELECT * FROM t
--|           |                 ^^^^^^^ expected '(PREDICT ...)'
--| SYNTAX_ERROR

--# no parentheses around LIST
SELECT * FROM LIST MODEL
--| error: LIST inside a query needs parentheses around it
--|   line 1  |   SELECT * FROM LIST MODEL
--|           |                 ^^^^ expected '(LIST ...)'
--| SYNTAX_ERROR

--# an option two deep
SELECT * FROM (PREDICT USING a AS
  SELECT * FROM (PREDICT USING b OPTIONS(batchsize=4) AS
    SELECT * FROM t))
--| error: unknown option 'batchsize' for PREDICT
--|   line 2  |     SELECT * FROM (PREDICT USING b OPTIONS(batchsize=4) AS
--|           |                                            ^^^^^^^^^ did you mean 'batch_size'? known: audio_col, batch_size, result_col, language, ...
--| UNKNOWN_OPTION

--# a slip in USING
SELECT * FROM (PREDICT USIN m AS SELECT * FROM t) WHERE a = 1
--| error: syntax error at 'USIN' in PREDICT
--|   line 1  |   SELECT * FROM (PREDICT USIN m AS SELECT * FROM t) WHERE a = 1
--|           |                          ^^^^ did you mean 'USING'?
--| SYNTAX_ERROR

--# a slip in what is listed
SELECT * FROM (LIST MODLE)
--| error: syntax error at 'MODLE' in LIST
--|   line 1  |   SELECT * FROM (LIST MODLE)
--|           |                       ^^^^^ did you mean 'MODEL'?
--| SYNTAX_ERROR

--# a slip in SQL two deep
SELECT * FROM (CONVERT USING a AS
  SELECT * FROM (PREDICT USING b AS SELECT * FORM t))
--| error: syntax error in the query at 'FORM'
--|   line 2  |     SELECT * FROM (PREDICT USING b AS SELECT * FORM t))
--|           |                                                ^^^^ did you mean 'FROM'?
--| SYNTAX_ERROR

--# an error after a nested statement
SELECT * FROM (PREDICT USING m OPTIONS(batch_size=1) AS SELECT * FROM t) WHRE a = 1
--| error: syntax error in the query at 'WHRE'
--|   line 1  |   SELECT * FROM (PREDICT USING m OPTIONS(batch_size=1) AS SELECT * FROM t) WHRE a = 1
--|           |                                                                            ^^^^ did you mean 'WHERE'?
--| SYNTAX_ERROR

--# an error on the line after a nested statement
SELECT * FROM (
  PREDICT USING m
  AS SELECT * FROM t
) p
GROUP a
--| error: GROUP is not followed by BY
--|   line 5  |   GROUP a
--|           |         ^ expected 'BY'
--| SYNTAX_ERROR

--# a nested statement without a query
SELECT * FROM (PREDICT USING m)
--| error: PREDICT is incomplete
--|   line 1  |   SELECT * FROM (PREDICT USING m)
--|           |                                 ^ expected AS query or OPTIONS(...)
--| SYNTAX_ERROR

--# a nested statement in an UPDATE
UPDATE t SET text = (SELECT predicted FROM (PREDICT USING m AS SELECT * FROM t))
--| error: a query cannot be used here; use CREATE OR REPLACE TABLE t AS SELECT ...
--|   line 1  |   UPDATE t SET text = (SELECT predicted FROM (PREDICT USING m AS SELECT * FROM t))
--|           |                        ^^^^^^ expected column = expression
--| SYNTAX_ERROR

--# in the second statement
SELECT 1;
SELECT * FROM (SEARCH KEYWORD OPTIONS(search_inpt='x') AS SELECT * FROM t)
--| error: unknown option 'search_inpt' for SEARCH KEYWORD
--|   line 2  |   SELECT * FROM (SEARCH KEYWORD OPTIONS(search_inpt='x') AS SELECT * FROM t)
--|           |                                         ^^^^^^^^^^^ did you mean 'search_input'? known: search_input, search_by, text_col, result_col, ...
--| UNKNOWN_OPTION

--# nested too deeply
PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS PREDICT USING m AS SELECT 1
--| error: statements are nested deeper than 16
--|   line 1  |   …USING m AS PREDICT USING m AS PREDICT USING m AS SELECT 1
--|           |                                  ^^^^^^^
--| STATEMENT_TOO_LARGE

--# brackets nested too deeply
SELECT ((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))
--| error: brackets in SQL are nested deeper than 32
--|   line 1  |   SELECT ((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))
--|           |                                          ^
--| STATEMENT_TOO_LARGE

--# two statements
LIST MODEL; LIST TABLE
--| ListObjects
--|   kind: 'MODEL'
--|   canonical: LIST MODEL
--| ListObjects
--|   kind: 'TABLE'
--|   canonical: LIST TABLE

--# empty statements are left out
;; LIST MODEL ; ; -- nothing
;
--| ListObjects
--|   kind: 'MODEL'
--|   canonical: LIST MODEL

--# nothing but comments
-- nothing
/* at all */
--| nothing

--# semicolons in quotes and comments divide nothing
SELECT 'a;b', "c;d", $$e;f$$ -- g;h
FROM t; /* ; */ DROP TABLE t
--| RunQuery
--|   query: SELECT 'a;b', "c;d", 'e;f' FROM t
--|     tables: t
--|   canonical: SELECT 'a;b', "c;d", $$e;f$$ FROM t
--| DropTable
--|   table: t
--|   if_exists: False
--|   canonical: DROP TABLE t

--# different kinds
COPY t FROM 'a.csv';
PREDICT USING m AS SELECT * FROM t;
SHOW JOBS
--| Copy
--|   table: t
--|   source: a.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'a.csv'
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING m AS SELECT * FROM t
--| ShowJobs
--|   canonical: SHOW JOBS

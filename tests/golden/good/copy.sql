--# without options an existing table is an error
COPY t FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'data.csv'

--# double quotes hold a path
COPY t FROM "folder/data.csv"
--| Copy
--|   table: t
--|   source: folder/data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'folder/data.csv'

--# keywords in any case
copy T options(OverWrite=true) from 'data.csv'
--| Copy
--|   table: T
--|   source: data.csv
--|   if_exists: 'replace'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY T OPTIONS(if_exists='replace') FROM 'data.csv'

--# overwrite is another way to say replace
COPY t OPTIONS(overwrite=True) FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'replace'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t OPTIONS(if_exists='replace') FROM 'data.csv'

--# not overwriting is the default
COPY t OPTIONS(overwrite=FALSE) FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'data.csv'

--# append
COPY t OPTIONS(if_exists='append') FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'append'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t OPTIONS(if_exists='append') FROM 'data.csv'

--# the choice in any case
COPY t OPTIONS(if_exists='REPLACE') FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'replace'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t OPTIONS(if_exists='replace') FROM 'data.csv'

--# both ways to say replace
COPY t OPTIONS(overwrite=True, if_exists='replace') FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'replace'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t OPTIONS(if_exists='replace') FROM 'data.csv'

--# None leaves the default
COPY t OPTIONS(overwrite=None, if_exists=None) FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'data.csv'

--# empty options
COPY t OPTIONS() FROM 'data.csv'
--| Copy
--|   table: t
--|   source: data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'data.csv'

--# a quote in a path
COPY t FROM 'it''s here.csv'
--| Copy
--|   table: t
--|   source: it's here.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'it''s here.csv'

--# a semicolon and comment signs in a path
COPY t FROM 'a;b--c/*d*/.csv'
--| Copy
--|   table: t
--|   source: a;b--c/*d*/.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'a;b--c/*d*/.csv'

--# a backslash is no escape
COPY t FROM 'folder\data.csv'
--| Copy
--|   table: t
--|   source: folder\data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM 'folder\data.csv'

--# records in the string itself
COPY t FROM '[{"text": "it''s", "n": 1}]'
--| Copy
--|   table: t
--|   source: [{"text": "it's", "n": 1}]
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM '[{"text": "it''s", "n": 1}]'

--# dollar quotes hold records
COPY t FROM $json$[{"text": "it's", "price": "$5"}]$json$
--| Copy
--|   table: t
--|   source: [{"text": "it's", "price": "$5"}]
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY t FROM '[{"text": "it''s", "price": "$5"}]'

--# a quoted table
COPY "My Table" FROM 'data.csv'
--| Copy
--|   table: My Table
--|   source: data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY "My Table" FROM 'data.csv'

--# a table called like a keyword
COPY options FROM 'data.csv'
--| Copy
--|   table: options
--|   source: data.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY options FROM 'data.csv'

--# a table in another script
COPY 음성 FROM '데이터/음성.csv'
--| Copy
--|   table: 음성
--|   source: 데이터/음성.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY 음성 FROM '데이터/음성.csv'

--# recordings are taken into keeping
COPY t OPTIONS(store_audio=True) FROM 'calls'
--| Copy
--|   table: t
--|   source: calls
--|   if_exists: 'fail'
--|   store_audio: True
--|   audio_col: 'audio_path'
--|   canonical: COPY t OPTIONS(store_audio=True) FROM 'calls'

--# those that a column of another name holds
COPY t OPTIONS(audio_col='recording', store_audio=true, overwrite=True) FROM 'calls.csv'
--| Copy
--|   table: t
--|   source: calls.csv
--|   if_exists: 'replace'
--|   store_audio: True
--|   audio_col: 'recording'
--|   canonical: COPY t OPTIONS(if_exists='replace', store_audio=True, audio_col='recording') FROM 'calls.csv'

--# a column without keeping has no effect
COPY t OPTIONS(audio_col='recording') FROM 'calls.csv'
--| Copy
--|   table: t
--|   source: calls.csv
--|   if_exists: 'fail'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   notice: 1:16 option 'audio_col' has no effect in COPY without store_audio=True
--|   canonical: COPY t FROM 'calls.csv'

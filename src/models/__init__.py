"""What is true: the facts that decisions read, and the store that keeps them.

| file | what it is for |
|---|---|
| records | the facts of one revision, their keys, and what is above an object; pure |
| vocabulary | the yes/no questions that policies ask of them; pure |
| networks | addresses and allow-lists in one canonical form; pure |
| tables, columns | what is stored, and which facts depend on each row |
| store | the only door: one way to write, snapshots to read, news of what changed |
| door | inside the write door: the revision log that no writer can forget |
| loading | records and their closure out of one snapshot |
| bell, turns | hearing of a commit on the same machine; writers of a file one after another |
| engines, schema, migrations | how either database is opened, and brought to the present schema |
| errors | a store that cannot be used, and one that does not answer now |
| changes | the rules of every write |
| directory | finding and listing things by what people call them |
| published | the bundles of policies that stand in the store |
"""

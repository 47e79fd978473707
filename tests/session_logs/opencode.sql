-- The table `session` of opencode 1.18.33 after two turns against a scripted model, and a session of another directory.
CREATE TABLE `session` (
  `id` text PRIMARY KEY,
  `project_id` text NOT NULL,
  `workspace_id` text,
  `parent_id` text,
  `slug` text NOT NULL,
  `directory` text NOT NULL,
  `path` text,
  `title` text NOT NULL,
  `version` text NOT NULL,
  `share_url` text,
  `summary_additions` integer,
  `summary_deletions` integer,
  `summary_files` integer,
  `summary_diffs` text,
  `metadata` text,
  `cost` real DEFAULT 0 NOT NULL,
  `tokens_input` integer DEFAULT 0 NOT NULL,
  `tokens_output` integer DEFAULT 0 NOT NULL,
  `tokens_reasoning` integer DEFAULT 0 NOT NULL,
  `tokens_cache_read` integer DEFAULT 0 NOT NULL,
  `tokens_cache_write` integer DEFAULT 0 NOT NULL,
  `revert` text,
  `permission` text,
  `agent` text,
  `model` text,
  `time_created` integer NOT NULL,
  `time_updated` integer NOT NULL,
  `time_compacting` integer,
  `time_archived` integer
);
INSERT INTO session (id, project_id, slug, directory, path, title, version, summary_additions, summary_deletions, summary_files, cost, tokens_input, tokens_output, tokens_reasoning, tokens_cache_read, tokens_cache_write, agent, model, time_created, time_updated)
  VALUES ('ses_df2d94a2cffeggP7x6W5xwsWPD', 'global', 'calm-eagle', '/home/ada/lab', '', 'Lower val bpb', '1.18.33', 0, 0, 0, 0.0, 3000, 102, 0, 600, 0, 'build', '{"id":"scripted","providerID":"local"}', 1795516970453, 1795516987593);
INSERT INTO session (id, project_id, slug, directory, path, title, version, summary_additions, summary_deletions, summary_files, cost, tokens_input, tokens_output, tokens_reasoning, tokens_cache_read, tokens_cache_write, agent, model, time_created, time_updated)
  VALUES ('ses_other', 'global', 'calm-eagle', '/home/ada/elsewhere', '', 'Lower val bpb', '1.18.33', 0, 0, 0, 0.0, 77777, 102, 0, 600, 0, 'build', '{"id":"scripted","providerID":"local"}', 1795516970453, 1795516987593);

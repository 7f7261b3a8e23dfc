-- Each posting points to the rules, documents and readings behind it; those booked before this do not.
ALTER TABLE posting ADD COLUMN evidence jsonb;

"""The SQL of deploys: rows, recording announcements, finding, correcting."""

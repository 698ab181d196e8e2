// The configurations that come with the program: files under configs/ of the data folder.
#pragma once

struct config_names {
    char **name; // sorted, relative to configs/, without .yaml: "quickstart", "ablations/encoder"
    int count, capacity;
};

void config_names_read(struct config_names *names); // an absent folder gives none
void config_names_release(struct config_names *names);

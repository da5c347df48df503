/* Runs a fuzz target over every file of a folder: a corpus as an ordinary test. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

#define INPUT_BYTES_MAX (1024 * 1024)

int main(int argc, char **argv)
{
    static uint8_t input[INPUT_BYTES_MAX];
    struct dirent *entry;
    unsigned count = 0;
    DIR *folder;

    if (argc != 2 || (folder = opendir(argv[1])) == NULL) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 64;
    }
    while ((entry = readdir(folder)) != NULL) {
        char path[4096];
        FILE *file;
        size_t size;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        file = fopen(path, "rb");
        if (file == NULL) {
            perror(path);
            return 1;
        }
        size = fread(input, 1, sizeof(input), file);
        fclose(file);
        LLVMFuzzerTestOneInput(input, size);
        count++;
    }
    closedir(folder);
    printf("%u inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}

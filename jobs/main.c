/* main.c — the program `etalon`. */
#include "jobs/verb.h"

int main(int argc, char **argv)
{
    return verb_main(argc, argv);
}

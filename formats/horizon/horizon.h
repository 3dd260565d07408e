/* horizon.h — the target horizon-j6, between its files: what the package is about, and the files of it.
 *
 * Source of all facts about the vendor's tools: their public documents and samples (hb_compile, its yaml and
 * quant_config, D-Robotics' model zoo). What is not public, as custom calibration nodes, is not written.
 */
#ifndef ETALON_HORIZON_H
#define ETALON_HORIZON_H

#include "formats/target.h"

#define HORIZON "horizon-j6" /* the target, and its folder */

extern const struct target target_horizon;
extern const struct target_option horizon_options[];
/* Settings that cannot stand together, whatever the network. EX_CONFIG. */
int horizon_check_settings(const struct target_settings *settings, struct error *err);

enum horizon_colour {
    HORIZON_AUTO, /* the board gives what the network expects */
    HORIZON_NV12,
    HORIZON_YUV444,
    HORIZON_RGB,
    HORIZON_BGR,
    HORIZON_GRAY,
    HORIZON_FEATUREMAP, /* numbers, used as they are */
};

enum { HORIZON_MAX_CHANNELS = 3 };

/* One input of the network: (x - mean) * scale is done to pixels 0..255 of `train`, which the board has as `board`. */
struct horizon_input {
    const char *name;
    const char *folder; /* its name as one of a folder: letters, digits and _ . - */
    const struct shape *shape;
    enum horizon_colour board, train;
    bool is_normalised; /* there are means or scales */
    float mean[HORIZON_MAX_CHANNELS], scale[HORIZON_MAX_CHANNELS];
};

struct horizon {
    const struct plan *plan;
    const struct emit_info *info;
    struct output *output;
    struct arena *arena;
    const char *prefix;           /* of the files' names */
    struct horizon_input *inputs; /* [plan->graph->n_inputs] */
    bool is_nash;                 /* the dialect; else of the older chain */
    size_t n_samples;             /* how many calibration tensors were written */
};

const char *horizon_setting(const struct horizon *h, const char *option);
bool horizon_is(const struct horizon *h, const char *option, const char *value);
const char *horizon_colour_name(enum horizon_colour colour); /* as the yaml has it */

/* Is `name` in a list joined by ";"? */
bool horizon_is_listed(const char *list, const char *name);

/* input.c: fills h->inputs, and checks what the settings ask of them. EX_UNAVAILABLE naming input and rule. */
int horizon_describe_inputs(struct horizon *h, struct error *err);
/* The nodes that settings name are there, and those that are to be removed stand at the edges. EX_UNAVAILABLE naming
 * one that is not. */
int horizon_check_nodes(const struct horizon *h, struct error *err);

/* A file each (or a few), under the names that models.c and the README of the folder tell. */
int horizon_write_float(struct horizon *h, struct error *err);              /* models.c: what needs no codes */
int horizon_write_quantized(struct horizon *h, struct error *err);          /* models.c */
int horizon_write_samples(struct horizon *h, struct error *err);            /* samples.c */
int horizon_write_config(const struct horizon *h, struct error *err);       /* config.c */
int horizon_write_quant_config(const struct horizon *h, struct error *err); /* quant_config.c */
int horizon_write_thresholds(const struct horizon *h, struct error *err);   /* thresholds.c */
int horizon_write_estimate(const struct horizon *h, struct error *err);     /* estimate.c */
int horizon_write_readme(const struct horizon *h, struct error *err);       /* readme.c */

#endif

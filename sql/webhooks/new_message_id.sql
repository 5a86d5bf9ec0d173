CREATE OR REPLACE FUNCTION webhooks.new_message_id()
RETURNS text
LANGUAGE sql
VOLATILE
AS $function$
    -- Of version 7: new ones come last in the index of whoever keeps them.
    SELECT 'msg_' || replace(uuidv7()::text, '-', '');
$function$;

COMMENT ON FUNCTION webhooks.new_message_id() IS
'A new webhook-id: msg_ and a UUID in 32 hexadecimal digits. It holds no full stop, which is what separates the parts of the text that is signed.';

REVOKE ALL ON FUNCTION webhooks.new_message_id() FROM public;
